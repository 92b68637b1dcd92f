using System.Text;
using Tmds.Linux;
using Tmem.Engine.Native;
using static Tmds.Linux.LibC;

namespace Tmem.Engine.Durability;

/// <summary>
/// Whether an open file can be opened again by a name. The kernel tells of a removal by the count of links, and of a move by
/// what the path leads to; a notification (inotify) would need a thread, and tell nothing of what happened before it was set up.
/// </summary>
internal sealed unsafe class FileName
{
    private const int LongestPath = 4096;

    private readonly int _descriptor;
    private readonly byte[] _link;
    private readonly byte[]? _path;
    private readonly bool _hadNone;

    /// <param name="descriptor">The open file.</param>
    /// <param name="path">The absolute path that it was opened by; null if that is unknown.</param>
    /// <param name="mayHaveNone">Whether it may have been opened without a name; then it has none to lose.</param>
    public FileName(int descriptor, string? path, bool mayHaveNone)
    {
        _descriptor = descriptor;
        _link = Encoding.UTF8.GetBytes($"/proc/self/fd/{descriptor}\0");
        _path = path is null ? null : Encoding.UTF8.GetBytes(path + "\0");
        _hadNone = mayHaveNone && IsGone();
    }

    /// <inheritdoc cref="IImageFile.RemovedAt"/>
    public string? RemovedAt => !_hadNone && IsGone() ? $"/proc/{Environment.ProcessId}/fd/{_descriptor}" : null;

    /// <inheritdoc cref="IImageFile.MovedTo"/>
    public string? MovedTo
    {
        get
        {
            stat ours;
            if (_path is null || SystemCalls.Stat(_descriptor, &ours) != 0 || LeadsTo(_path, in ours) is not false) return null;
            // Removed only now, or while this looked at the path: that is another finding.
            if (IsGone()) return null;
            Span<byte> name = stackalloc byte[LongestPath + 1];
            var length = SystemCalls.ReadLink(_link, name[..LongestPath]);
            if (length <= 0) return InodeOf(in ours);
            name[length] = 0;
            // A file with several names is shown by the one it was opened by, though that is the one it has lost.
            return LeadsTo(name[..(length + 1)], in ours) == true ? Encoding.UTF8.GetString(name[..length]) : InodeOf(in ours);
        }
    }

    private static string InodeOf(in stat file) => $"inode {(ulong)file.st_ino}";

    /// <summary>
    /// No link is left; or only the one that NFS or FUSE gives a file that is removed while it is open, and takes at its close.
    /// </summary>
    private bool IsGone()
    {
        stat facts;
        if (SystemCalls.Stat(_descriptor, &facts) != 0) return false;
        if (facts.st_nlink == 0) return true;
        Span<byte> buffer = stackalloc byte[LongestPath];
        var length = SystemCalls.ReadLink(_link, buffer);
        if (length <= 0) return false;
        var name = buffer[(buffer[..length].LastIndexOf((byte)'/') + 1)..length];
        return name.StartsWith(".nfs0"u8) || name.StartsWith(".fuse_hidden"u8);
    }

    /// <summary>Null where it cannot be seen.</summary>
    private static bool? LeadsTo(ReadOnlySpan<byte> path, in stat file)
    {
        stat there;
        var error = SystemCalls.Stat(path, &there);
        if (error == 0) return there.st_ino == file.st_ino && there.st_dev == file.st_dev;
        return error == ENOENT || error == ENOTDIR ? false : null;
    }
}
