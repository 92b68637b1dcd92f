using Tmem.Soak;

namespace Tmem.Engine.Tests;

/// <summary>The soak (scripts/soak engine runs it for an hour), for some seconds.</summary>
public sealed class SoakTests
{
    [Theory]
    [InlineData(8, false)]
    [InlineData(64, true)]
    public void A_short_soak_passes(int mebi, bool inFile)
    {
        var path = inFile ? Path.Combine(Path.GetTempPath(), $"tmem-soak-{Environment.ProcessId}.region") : null;
        using var output = new StringWriter();
        using var soak = new EngineSoak(new EngineSoakOptions(TimeSpan.FromSeconds(3), 3, Seed: 1, mebi * Engines.Mebi, path),
            output);
        var failure = soak.Run(TestContext.Current.CancellationToken);
        Assert.True(failure is null, $"{failure} ({soak.Summary()})");
        Assert.False(inFile && File.Exists(path));
    }
}
