using System.Globalization;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// One flipped bit in a record of the file system, a few hundred times (scripts/soak records does it as often as wanted).
/// </summary>
public sealed class FileSystemFlipTests
{
    private static readonly int s_rounds = Setting("TMEM_FLIPS", 150);
    private static readonly int s_seed = Setting("TMEM_FLIPS_SEED", 1);

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number : otherwise;

    [Fact]
    public void A_flipped_bit_costs_one_thing()
    {
        var outcomes = new SortedDictionary<string, int>();
        for (var seed = s_seed; seed < s_seed + s_rounds; seed++)
        {
            using var volume = new FlippedVolume(seed);
            using var watch = new Timer(_ => Environment.FailFast($"TMEM_FLIPS_SEED={seed}: no end after a minute"), null, 60_000,
                Timeout.Infinite);
            try
            {
                volume.Flip();
                // In use, or before the next process attaches.
                var inUse = seed % 3 == 0;
                if (inUse) volume.ReadAll(inUse);
                if (inUse && seed % 2 == 0) volume.ChangeAll();
                else
                {
                    volume.TakeUp();
                    volume.ReadAll(false);
                    volume.ChangeAll();
                }
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"TMEM_FLIPS=1 TMEM_FLIPS_SEED={seed}: {volume.Flipped}", e);
            }
            outcomes[volume.Outcome] = outcomes.GetValueOrDefault(volume.Outcome) + 1;
        }
        TestContext.Current.TestOutputHelper?.WriteLine(
            string.Join(", ", outcomes.Select(outcome => $"{outcome.Value} {outcome.Key}")));
        if (s_rounds >= 100) Assert.True(outcomes["named"] > s_rounds / 10 && outcomes["intact"] > 0);
    }
}
