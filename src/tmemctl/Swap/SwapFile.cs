namespace Tmem.Ctl.Swap;

/// <summary>What "swap on" leaves on a mount, as found: any part may be missing after a failure.</summary>
/// <param name="Pool">The pool's name.</param>
/// <param name="Path">The file: mount/pool/swapfile.</param>
/// <param name="Device">Its loop device, or null.</param>
/// <param name="Entry">Its line in /proc/swaps, or null when swap is not on.</param>
internal sealed record SwapFile(string Pool, string Path, string? Device, SwapEntry? Entry)
{
    /// <summary>The file's name in its pool. Files of other names are somebody else's, and left alone.</summary>
    public const string Name = "swapfile";

    /// <summary>Mark of a swap file whose pool "swap on" made too.</summary>
    public const string PoolMade = "pool made";

    /// <summary>Mark of a swap file in a pool that was there before.</summary>
    public const string PoolKept = "pool kept";

    /// <summary>Finds what is on this mount: by loop devices first (a file may be unlinked already), then files of ours without one.</summary>
    public static IReadOnlyList<SwapFile> Find(ISwapSystem system, string mount)
    {
        var swaps = system.Swaps().ToDictionary(entry => entry.Device);
        var found = new List<SwapFile>();
        foreach (var loop in system.Loops())
        {
            if (PoolOf(mount, loop.BackingFile) is { } pool)
                found.Add(new SwapFile(pool, loop.BackingFile, loop.Device, swaps.GetValueOrDefault(loop.Device)));
        }
        foreach (var path in system.FilesBelow(mount, Name))
        {
            if (found.All(file => file.Path != path) && system.Mark(path) is not null && PoolOf(mount, path) is { } pool)
                found.Add(new SwapFile(pool, path, null, null));
        }
        return found;
    }

    /// <summary>The pool if the path is mount/pool/swapfile, else null.</summary>
    private static string? PoolOf(string mount, string path)
    {
        var prefix = mount.EndsWith('/') ? mount : mount + "/";
        if (!path.StartsWith(prefix, StringComparison.Ordinal)) return null;
        var parts = path[prefix.Length..].Split('/');
        return parts is [var pool, Name] ? pool : null;
    }
}
