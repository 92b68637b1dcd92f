using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The store's file that the user names, locked as long as any process has it open. Swapped-out memory can be read in it.
/// </summary>
internal static class RegionFile
{
    private const int Create = 0x40;
    private const uint OwnerOnly = 0x180; // 0600

    /// <summary>
    /// Opens the region's file, creating it empty with its name durable if there is none, and locks it. No other user may change
    /// or read it.
    /// </summary>
    /// <exception cref="StartupException">The message names the obstacle and the remedy.</exception>
    public static int Open(string path)
    {
        var opened = TrustedPath.Open(path, new PathWish { Flags = Libc.O_RDWR | Create, Mode = OwnerOnly, OnlyOurs = true });
        if (opened.Problem is { } problem)
        {
            var directory = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
            throw new StartupException($"Region file '{path}' cannot be opened ({problem})." + (!Path.Exists(directory)
                ? $" Make its directory first: install -d -m 700 {ShellWord.Of(directory)}"
                : problem.Contains("; ", StringComparison.Ordinal) ? ""
                : " Name a file that can be read and written, and that no other user can change."));
        }
        if (!TryLock(opened.Descriptor))
        {
            throw new StartupException(
                $"Region file '{path}' is in use by another process. Stop that one first, or name another file.");
        }
        _ = Libc.fchmod(opened.Descriptor, OwnerOnly);
        if (!opened.Made) return opened.Descriptor;
        var above = Libc.open(Path.GetDirectoryName(Path.GetFullPath(path))!, NativeProcess.O_RDONLY | Libc.O_CLOEXEC);
        _ = Libc.fsync(above);
        _ = Libc.close(above);
        return opened.Descriptor;
    }

    /// <summary>Opens and locks a file for reading. Returns why it cannot, or null and the descriptor.</summary>
    public static string? TryOpenToRead(string path, out int descriptor)
    {
        var opened = TrustedPath.Open(path, new PathWish { Flags = NativeProcess.O_RDONLY, OnlyOurs = true });
        descriptor = opened.Descriptor;
        if (opened.Problem is { } problem)
            return $"cannot open region file '{path}' ({problem})" + (problem.Contains("; ", StringComparison.Ordinal) ? ""
                : "; name one that can be read and that no other user can change");
        return TryLock(descriptor) ? null : $"region file '{path}' is in use by another process; stop that one first";
    }

    /// <summary>False, and the file closed, if another process has it locked.</summary>
    private static bool TryLock(int descriptor)
    {
        if (Libc.flock(descriptor, Libc.LOCK_EX | Libc.LOCK_NB) == 0) return true;
        _ = Libc.close(descriptor);
        return false;
    }
}
