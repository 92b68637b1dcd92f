using System.Diagnostics;
using Tmem.Control;
using Tmem.Control.Host;
using Tmem.Ctl.Commands;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Mounts;

/// <summary>
/// <c>umount</c> of a tmem mount: the region's file is made durable first, and it returns when the daemon has ended, so that the
/// next mount can begin at once. umount(2) alone returns before the daemon has heard of it. To have the daemon stop itself was
/// considered: it refuses while a copy of the mount is left elsewhere, which is none of umount's business.
/// </summary>
internal static class UnmountHelper
{
    public const string Letters = "flnrv";
    public const string Usage = "umount.fuse.tmem DIR [-flnrv] [-N NAMESPACE] [-t TYPE]; see umount(8)";

    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);

    public static int Run(HelperWords words, HelperLines lines)
    {
        var directory = MountPath.Of(words.Places[0]);
        if (MountTable.At(directory, MountTable.Read()) is not { FileSystemType: MountHelper.FileSystemType } mount)
            return lines.Fail(HelperExit.Failed, $"{directory} is no tmem mount");
        Environment.CurrentDirectory = "/";
        // One that is dead, hangs, or has its socket elsewhere is not waited for: it ends when it sees its mount gone.
        var client = DaemonFinder.SocketOf(directory) is { } socket && !words.Has('l') ? new ControlClient(socket) : null;
        using var processes = client is null ? null : DaemonProcesses.Hold(client);
        if (client is not null && !words.Has('f') && Sync(directory).Problem() is { } unwritten)
            return lines.Fail(HelperExit.Failed, $"{directory} stays: what is in it cannot be made durable: {unwritten}",
                "'umount -f' loses it");
        var error = Machine.Unmount(directory, words.Has('l'), words.Has('f') && client is null);
        if (error != Errno.Ok) return Busy(directory, error, words.Has('r'), lines);
        if (processes is not null && !AwaitEnd(processes, mount.DeviceMinor))
            return lines.Fail(HelperExit.Failed, $"{directory} is unmounted, and its daemon is still ending", "look at its log");
        if (words.Has('v')) lines.Note($"{directory} is unmounted");
        return HelperExit.Done;
    }

    private static int Busy(string directory, Errno error, bool readOnlyInstead, HelperLines lines)
    {
        if (readOnlyInstead && Machine.Remount(directory, MountFlags.Usual | MountFlags.ReadOnly) == Errno.Ok)
        {
            lines.Warn($"{directory} is busy, and now for reading alone");
            return HelperExit.Done;
        }
        return error == Errno.EBUSY
            ? lines.Fail(HelperExit.Failed, $"{directory} is busy", $"'fuser -vm' and /proc/swaps show who uses it")
            : lines.Fail(HelperExit.Failed, $"{directory} cannot be unmounted: {error.Problem()}");
    }

    /// <summary>An fsync of any directory makes the whole store durable.</summary>
    private static Errno Sync(string directory)
    {
        var error = Files.Open(directory, Files.ReadOnly | Files.DirectoryOnly, out var root);
        if (error != Errno.Ok) return error;
        error = Files.Sync(root);
        Files.Close(root);
        return error;
    }

    /// <summary>True when the daemon has ended, or serves on because the file system is mounted elsewhere too.</summary>
    private static bool AwaitEnd(DaemonProcesses processes, int connection)
    {
        var began = Stopwatch.GetTimestamp();
        while (!processes.AwaitEnd(s_look))
        {
            if (IsMountedSomewhere(connection)) return true;
            if (Stopwatch.GetElapsedTime(began) > ControlClient.Long) return false;
        }
        return true;
    }

    private static bool IsMountedSomewhere(int connection) => Directory.EnumerateDirectories("/proc")
        .Where(process => char.IsAsciiDigit(Path.GetFileName(process)[0]))
        .Any(process => KernelFile.TryRead(process + "/mountinfo") is { } table
            && MountTable.Parse(table.Split('\n')).Any(one => one.DeviceMajor == 0 && one.DeviceMinor == connection));
}
