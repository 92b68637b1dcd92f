using System.ComponentModel;
using System.Diagnostics;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Mounts;

/// <summary>
/// <c>mount -t tmem</c>: starts a tmemd that serves the mount, and returns when it does. What belongs to the mount alone (owner
/// and mode of its root directory) is set then; the daemon keeps it.
/// </summary>
internal static class MountHelper
{
    public const string FileSystemType = "fuse.tmem";
    public const string Letters = "sfnv";
    public const string Usage = "mount.tmem SPEC DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]; see mount.tmem(8)";

    private const int UsualShare = 4;

    public static int Run(HelperWords words, HelperLines lines)
    {
        var (source, directory) = (words.Places[0], MountPath.Of(words.Places[1]));
        if (MountOptions.Read(words.Options, words.Has('s'), out var problem) is not { } wish)
            return lines.Fail(HelperExit.Usage, problem);
        var exit = Run(source, directory, wish, words, lines);
        if (exit == HelperExit.Done)
            foreach (var note in wish.Notes) lines.Warn(note);
        return exit;
    }

    private static int Run(string source, string directory, MountWish wish, HelperWords words, HelperLines lines)
    {
        var mounted = MountTable.At(directory, MountTable.Read());
        if (wish.IsRemount)
        {
            if (mounted is not { FileSystemType: FileSystemType })
                return lines.Fail(HelperExit.Failed, $"{directory} is no tmem mount", "leave remount out to make one");
            return words.Has('f') ? HelperExit.Done : Remounting.Run(directory, mounted.Value, wish, lines);
        }
        if (mounted is { FileSystemType: FileSystemType })
            return lines.Fail(HelperExit.Failed, $"{directory} is a tmem mount already", "unmount it first, or change it "
                + "(-o remount)");
        if (words.Has('f')) return HelperExit.Done;
        return Mount(source, directory, wish, words, lines);
    }

    private static int Mount(string source, string directory, MountWish wish, HelperWords words, HelperLines lines)
    {
        if (MountedDaemon.FindProgram() is not { } program)
            return lines.Fail(HelperExit.System, "tmemd is not there", "install it beside tmemctl, or in /usr/sbin");
        var socket = wish.Socket ?? MountSocket.Of(directory);
        using var log = LogPlace.Open(wish.Log, Path.ChangeExtension(socket, ".log"), out var problem);
        if (log is null) return lines.Fail(HelperExit.Failed, problem);
        // What would change the root directory is done first.
        var setsRoot = wish.SetsRoot;
        var flags = setsRoot ? wish.Flags & ~MountFlags.ReadOnly : wish.Flags;
        var capacity = wish.Capacity ?? PhysicalMemory.Bytes / UsualShare;
        Environment.CurrentDirectory = "/"; // The daemon's, too: it must not hold the caller's.
        if (MountedDaemon.Start(program,
            [
                "--mount", directory, "--mount-source", source, "--mount-options", MountFlags.Describe(flags),
                "--capacity", ByteSize.Exact(capacity), "--socket", socket, .. wish.Daemon,
                // One that nobody has asked for is of use only while there is something to tell.
                .. (ReadOnlySpan<string>)(wish.Log is null && log.Stream is null ? ["--remove-log"] : []),
            ], socket, log) is { } why)
        {
            log.TakeBack();
            return lines.Fail(HelperExit.Failed, why);
        }
        if (setsRoot && RootDirectory.Set(directory, wish).Problem() is { } unset)
            return lines.Fail(HelperExit.Failed, $"{directory} is mounted, and its owner and mode cannot be set: {unset}");
        if (flags != wish.Flags && Remounting.Change(directory, wish.Flags) is { } unchanged)
            return lines.Fail(HelperExit.Failed, unchanged);
        if (!words.Has('n')) NameUnmountHelper(source, directory);
        if (words.Has('v')) lines.Note($"{directory} is mounted; its daemon's socket is {socket}");
        return HelperExit.Done;
    }

    /// <summary>
    /// Has mount(8) note that there is a helper for umount(8), which otherwise goes by the kind of file system that the kernel
    /// reports, "fuse". Without the note the daemon ends in order all the same, and is not waited for.
    /// </summary>
    private static void NameUnmountHelper(string source, string directory)
    {
        try
        {
            using var note = Process.Start(new ProcessStartInfo(Helpers.Folder + "mount",
                ["-i", "-f", "-t", FileSystemType, "-o", "uhelper=" + FileSystemType, source, directory])
                { RedirectStandardError = true })!;
            note.WaitForExit();
        }
        catch (Win32Exception)
        {
            // Started by another program than mount(8), where there is none.
        }
    }
}
