using System.Diagnostics;

namespace Tmem.Soak;

/// <summary>
/// Rounds of one flipped bit each. A small store of every kind of pool is made, a bit of a word that is not 0 is flipped (the
/// tables at the region's start and the slabs get their shares), and the store is used: as it was open at the time, after an
/// attach, or after an attach with leave to drop what is damaged. Every page got must be the one that was put; a miss or
/// "corrupt" is an answer, a wrong page or a crash is not.
/// </summary>
internal sealed class FlipsSoak(int seed, bool trace, TextWriter output)
{
    private static readonly TimeSpan s_hang = TimeSpan.FromSeconds(30);
    private readonly SortedDictionary<string, int> _outcomes = [];
    private int _rounds;

    private enum Use { Live, Attach, AttachDropping }

    /// <summary>Returns what went wrong, or null.</summary>
    public string? Run(int rounds, CancellationToken stop)
    {
        for (_rounds = 0; _rounds < rounds && !stop.IsCancellationRequested; _rounds++)
        {
            var number = seed + _rounds;
            using var watch = new Timer(_ => Hung(number), null, s_hang, Timeout.InfiniteTimeSpan);
            try
            {
                Round(number);
            }
            catch (SoakFailure failure)
            {
                return $"{failure.Message} (--seed {number} --rounds 1)";
            }
        }
        return null;
    }

    public string Summary() =>
        $"{_rounds} flips: {string.Join(", ", _outcomes.Select(outcome => $"{outcome.Value} {outcome.Key}"))}";

    private void Round(int number)
    {
        var random = new Random(number);
        using var region = new SoakRegion(null, 2 << 20);
        var store = new FlippedStore(random);
        var use = (Use)random.Next(3);
        var engine = region.Open();
        store.Fill(engine);
        if (use != Use.Live) engine.Dispose();
        var place = region.Flip(random, out var area);
        // Before the store is used: after a crash this is the last that is known.
        if (trace) output.WriteLine($"--seed {number}, {use}: {place}");
        try
        {
            if (use != Use.Live) engine = region.Open(use == Use.AttachDropping);
        }
        catch (RegionException refused)
        {
            if (trace) output.WriteLine($"  {refused.Message}");
            Count($"{use} {area}: refused");
            return;
        }
        using (engine)
        {
            var found = engine.DroppedCount > 0 ? "dropped by the attach" : null;
            if (trace) foreach (var sentence in engine.Dropped) output.WriteLine($"  dropped: {sentence}");
            var (lost, wrong) = store.Use(engine, verifyOnly: use == Use.Live
                && area is ( FlipArea.SpanTable or FlipArea.Nodes or FlipArea.Objects));
            if (wrong is not null) throw new SoakFailure($"{use}, {place}: {wrong}");
            if (trace && lost is not null) output.WriteLine($"  {lost}");
            Count($"{use} {area}: {found ?? lost?.Split(':')[0] ?? "without effect"}");
        }
    }

    private void Count(string outcome) => _outcomes[outcome] = _outcomes.GetValueOrDefault(outcome) + 1;

    private static void Hung(int number)
    {
        Console.WriteLine($"soak: FAIL no end after {s_hang.TotalSeconds} s (--seed {number} --rounds 1)");
        Process.GetCurrentProcess().Kill();
    }
}
