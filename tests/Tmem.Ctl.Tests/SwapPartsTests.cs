using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>How a swap file is divided.</summary>
public sealed class SwapPartsTests
{
    private const long Mebi = 1 << 20;

    [Theory]
    [InlineData(16, 0, 1)]
    [InlineData(127, 0, 1)]
    [InlineData(128, 0, 2)]
    [InlineData(600, 0, 8)]
    [InlineData(1 << 20, 0, 8)]
    [InlineData(1 << 20, 8, 6)]
    [InlineData(1 << 20, 20, 1)]
    [InlineData(1 << 20, 40, 1)]
    public void Parts_are_whole_clusters_side_by_side_and_leave_devices_to_others(long mebibytes, int on, int count)
    {
        var size = mebibytes * Mebi + 4096;
        var parts = SwapParts.Of(size, on);
        Assert.Equal(count, parts.Count);
        var end = 0L;
        foreach (var part in parts)
        {
            Assert.Equal(end, part.Offset);
            Assert.Equal(0, part.Offset % (2 * Mebi));
            end += part.Size;
        }
        Assert.Equal(size, end);
    }

    [Fact]
    public void Priorities_fall_and_none_is_negative() =>
        Assert.Equal([2, 1, 0, 0], Enumerable.Range(0, 4).Select(number => SwapParts.Priority(2, number)));
}
