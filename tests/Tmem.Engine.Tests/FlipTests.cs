using Tmem.Engine.Tests.Embedding;

namespace Tmem.Engine.Tests;

/// <summary>
/// One flipped bit anywhere in a region, a few hundred times (scripts/soak flips does it as often as wanted). In a process of its
/// own, because a crash is what it must detect.
/// </summary>
public sealed class FlipTests
{
    [Fact]
    public void A_flipped_bit_anywhere_is_no_crash_and_no_wrong_page()
    {
        var said = Repository.Run(AppContext.BaseDirectory, "dotnet", "Tmem.Soak.dll", "flips", "--rounds", "300", "--seed", "1");
        Assert.StartsWith("soak: PASS 300 flips", said, StringComparison.Ordinal);
    }
}
