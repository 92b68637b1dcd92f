namespace Tmem.Ctl.Swap;

/// <summary>A part of a swap file, to the kernel a device of its own.</summary>
/// <param name="Offset">Where it begins in the file.</param>
/// <param name="Size">Bytes, the page of its signature included.</param>
internal readonly record struct SwapPart(long Offset, long Size);

/// <summary>
/// A swap file is divided into parts, and the kernel fills them one after the other: each has a lower priority than the one
/// before. A device learns of freed pages by whole clusters of 2 MiB, and the kernel writes to fresh clusters as long as it has
/// any, so a device that is larger than what is swapped fills up with pages that nobody needs any more. Of the parts, only those
/// fill up that what is swapped has need of. docs/swap.md has the figures.
/// </summary>
internal static class SwapParts
{
    public const int Most = 8;

    /// <summary>A smaller part costs a device and saves little.</summary>
    private const long Smallest = 64 << 20;

    /// <summary>A part ends where a cluster of 512 pages does.</summary>
    private const long Cluster = 2 << 20;

    /// <summary>
    /// Swap devices that every kernel takes: MAX_SWAPFILES is 32 without up to ten that stand for other things. Some are left to
    /// others.
    /// </summary>
    private const int Places = 22, LeftToOthers = 8;

    /// <summary>Divides a file; where few devices are left, into fewer parts.</summary>
    /// <param name="size">Bytes, whole pages.</param>
    /// <param name="on">Swap devices that are on.</param>
    public static IReadOnlyList<SwapPart> Of(long size, int on)
    {
        var count = (int)Math.Clamp(size / Smallest, 1, Math.Clamp(Places - LeftToOthers - on, 1, Most));
        var each = size / count / Cluster * Cluster;
        return [.. Enumerable.Range(0, count).Select(number => new SwapPart(number * each,
            number < count - 1 ? each : size - number * each))];
    }

    /// <summary>The loop devices in words: "/dev/loop3 and 7 more".</summary>
    /// <param name="first">The first part's.</param>
    /// <param name="count">How many there are.</param>
    public static string Words(string first, int count) => count == 1 ? first : $"{first} and {count - 1} more";

    /// <summary>The priority of a part. The kernel fills devices of the same priority alternately.</summary>
    /// <param name="first">That of the first.</param>
    /// <param name="number">Counted from 0.</param>
    public static int Priority(int first, int number) => Math.Max(0, first - number);
}
