namespace Tmem.Ctl.Swap;

/// <summary>A loop device that is attached.</summary>
/// <param name="Device">"/dev/loop3".</param>
/// <param name="BackingFile">The file's path, " (deleted)" removed.</param>
internal sealed record LoopBacking(string Device, string BackingFile);

/// <summary>A line of /proc/swaps, sizes in bytes.</summary>
internal sealed record SwapEntry(string Device, long SizeBytes, long UsedBytes, int Priority);

/// <summary>
/// What the swap commands need of the kernel, so that they can be tested without one. Actions return null when done, else why not, errno's text
/// included; taking away what is gone already counts as done.
/// </summary>
internal interface ISwapSystem
{
    /// <summary>Creates a sparse file of this size, mode 0600; refuses if the name is taken.</summary>
    string? CreateFile(string path, long size);

    /// <summary>Removes a file.</summary>
    string? RemoveFile(string path);

    /// <summary>Notes a text on the file (an extended attribute).</summary>
    string? SetMark(string path, string text);

    /// <summary>The text noted, or null if there is none or no such file.</summary>
    string? Mark(string path);

    /// <summary>The files of this name one directory below <paramref name="mount"/>.</summary>
    IReadOnlyList<string> FilesBelow(string mount, string name);

    /// <summary>Attaches a free loop device to the file: direct I/O, blocks of 4096 bytes.</summary>
    string? AttachLoop(string file, out string device);

    /// <summary>Detaches the loop device and waits until it is really gone.</summary>
    string? DetachLoop(string device);

    /// <summary>Fails unless the device's I/O bypasses the page cache.</summary>
    string? RequireDirectIo(string device);

    /// <summary>Caps the device's requests at this many KiB; a smaller cap stays.</summary>
    string? CapRequests(string device, int kibibytes);

    /// <summary>Writes the swap signature.</summary>
    string? MakeSwap(string device);

    /// <summary>Turns swap on, with discard of freed pages.</summary>
    string? SwapOn(string device, int priority);

    /// <summary>Turns swap off: everything swapped returns to memory, which may take long.</summary>
    string? SwapOff(string device);

    /// <summary>All attached loop devices.</summary>
    IReadOnlyList<LoopBacking> Loops();

    /// <summary>All swap devices.</summary>
    IReadOnlyList<SwapEntry> Swaps();
}
