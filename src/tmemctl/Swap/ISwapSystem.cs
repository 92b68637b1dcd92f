using Tmem.Control.Host;

namespace Tmem.Ctl.Swap;

/// <summary>An attached loop device.</summary>
/// <param name="Device">"/dev/loop3".</param>
/// <param name="BackingFile">The file's path as the kernel knows it, without " (deleted)": valid at best in the mount namespace
/// that it was attached in.</param>
/// <param name="File">The file; null if the kernel cannot say, because its server is gone.</param>
/// <param name="Note">The note that was left in the device when it was attached.</param>
/// <param name="Offset">Where the device begins in the file.</param>
internal sealed record LoopBacking(string Device, string BackingFile, FileIdentity? File = null, string Note = "",
    long Offset = 0);

/// <summary>A line of /proc/swaps, sizes in bytes.</summary>
internal sealed record SwapEntry(string Device, long SizeBytes, long UsedBytes, int Priority);

/// <summary>Where to find a tmem mount.</summary>
/// <param name="Path">Its path in the daemon's mount namespace.</param>
/// <param name="Connection">The minor number of its device; another number is another mount.</param>
/// <param name="Process">A process that sees it there: for a caller in a namespace that does not.</param>
internal readonly record struct MountPlace(string Path, int Connection, int Process);

/// <summary>
/// The kernel as the swap commands use it, so that they can be tested without one. Actions return null when done, else why not,
/// errno's text included; removing what is gone already counts as done.
/// </summary>
internal interface ISwapSystem
{
    /// <summary>
    /// Opens a pool's directory. All operations on the folder stay with this directory, even if its name later leads elsewhere.
    /// </summary>
    string? OpenPool(in MountPlace mount, string pool, out IPoolFolder? folder);

    /// <summary>
    /// Makes the caller the only one who turns this mount's swap on or off, until it lets go or dies. Null and nothing held if
    /// the mount cannot be seen from here: swap that is on can be turned off all the same.
    /// </summary>
    string? Lock(in MountPlace mount, out IDisposable? held);

    /// <summary>Detaches the loop device and waits until it is really gone.</summary>
    string? DetachLoop(string device);

    /// <summary>Turns swap off: all swapped pages return to memory, which may take long.</summary>
    string? SwapOff(string device);

    /// <summary>Turns swap on again, on a device whose signature is as it was.</summary>
    string? SwapOn(string device, int priority);

    /// <summary>All attached loop devices.</summary>
    IReadOnlyList<LoopBacking> Loops();

    /// <summary>All swap devices.</summary>
    IReadOnlyList<SwapEntry> Swaps();

    /// <summary>The memory that swapped pages could return to.</summary>
    /// <param name="daemon">A process of the daemon that the pages are swapped to.</param>
    MemoryRoom Memory(int daemon);
}

/// <summary>A pool's directory, held by one descriptor.</summary>
internal interface IPoolFolder : IDisposable
{
    /// <summary>The owner's user id.</summary>
    uint Owner { get; }

    /// <summary>The permission bits.</summary>
    uint Permissions { get; }

    /// <summary>
    /// The mark on the directory, which only root can set: what bears the swap file's name in it is ours, also before that is
    /// marked.
    /// </summary>
    string? Claim { get; }

    /// <summary>Sets that mark, or with null takes it away.</summary>
    string? SetClaim(string? mark);

    /// <summary>The group's id.</summary>
    uint Group { get; }

    /// <summary>Gives the directory to a user and a group, with these permissions.</summary>
    string? Give(uint owner, uint group, uint permissions);


    /// <summary>
    /// Creates a file of this size, all hole, accessible to its owner alone, with a mark that only root can set; refuses if the
    /// name is taken.
    /// </summary>
    string? Create(string name, long size, string mark, out ISwapFile? file);

    /// <summary>
    /// The file at a name below the directory; null if there is none, or it is not a regular file. Links are not followed.
    /// </summary>
    FoundFile? Find(string name);

    /// <summary>The names in the directory.</summary>
    IReadOnlyList<string> Names();

    /// <summary>Removes the file at a name, if it has this identity.</summary>
    string? Remove(string name, FileIdentity file);
}

/// <summary>A file found in a pool.</summary>
/// <param name="Identity">Device and inode.</param>
/// <param name="Owner">The owner's user id.</param>
/// <param name="Permissions">The permission bits.</param>
/// <param name="Links">How many names it has.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="Mark">The mark that only root can set, or null.</param>
/// <param name="OldMark">The mark of tmemctl before 0.2, which its owner could set, or null.</param>
internal sealed record FoundFile(FileIdentity Identity, uint Owner, uint Permissions, uint Links, long Size, string? Mark,
    string? OldMark);

/// <summary>A file to swap to, held by one descriptor from its creation on.</summary>
internal interface ISwapFile : IDisposable
{
    /// <summary>Device and inode.</summary>
    FileIdentity Identity { get; }

    /// <summary>
    /// Attaches a free loop device to a part of it: direct I/O, blocks of 4096 bytes; the note stays with the device.
    /// </summary>
    string? Attach(SwapPart part, string note, out ISwapDevice? device);

    /// <summary>Fails if any other process has it open, or could open it.</summary>
    string? RequireSole();
}

/// <summary>A loop device on such a file, held by one descriptor too.</summary>
internal interface ISwapDevice : IDisposable
{
    /// <summary>"/dev/loop3".</summary>
    string Name { get; }

    /// <summary>Fails unless the device's I/O bypasses the page cache.</summary>
    string? RequireDirectIo();

    /// <summary>Caps the device's requests at this many KiB; a smaller cap stays.</summary>
    string? CapRequests(int kibibytes);

    /// <summary>Writes the swap signature.</summary>
    string? MakeSwap(long size);

    /// <summary>Turns swap on, with discard of freed pages.</summary>
    string? SwapOn(int priority);
}
