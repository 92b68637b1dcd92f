using Tmem.Control.Host;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// A log in a file that nobody asked for (<see cref="DaemonOptions.RemovesLog"/>): nothing is left of it when the daemon ended
/// in order; after any other end somebody will want to read it.
/// </summary>
internal static class UnwantedLog
{
    /// <summary>Removes it, if the log is one.</summary>
    public static void Remove(Handover handover)
    {
        ref var page = ref handover.Page;
        if (page.RemovesLog == 0 || Libc.ReadLink($"/proc/self/fd/{page.LogTarget}") is not { } path) return;
        // In a directory where nobody but us can put another file in its place.
        if (FileStatus.Of(page.LogTarget, "", FileStatus.OfDescriptor, FileStatus.Basic, out var ours) != 0 || !ours.IsRegular
            || FileStatus.Of(0, path, FileStatus.NoFollow, FileStatus.Basic, out var there) != 0
            || there.Identity != ours.Identity) return;
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It stays, as any other log does.
        }
    }
}
