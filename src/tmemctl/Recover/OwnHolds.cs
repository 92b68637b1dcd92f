using System.Globalization;
using Tmem.Control.Host;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Recover;

/// <summary>
/// What this process itself has on a mount, by no wish of its own: it was started there, or with files of it open. It would keep
/// the mount busy, and be named among those who do when it has long ended.
/// </summary>
internal static class OwnHolds
{
    private const int Input = 0, Error = 2;

    /// <inheritdoc cref="IMountSystem.Leave"/>
    public static string? Leave(int connection)
    {
        Environment.CurrentDirectory = "/";
        foreach (var link in ProcessDescriptors.Of("/proc/self"))
        {
            var descriptor = int.Parse(Path.GetFileName(link), CultureInfo.InvariantCulture);
            if (!IsOn(descriptor, connection)) continue;
            // Where the answer goes: nobody but the caller can say where else.
            if (descriptor is > Input and <= Error)
                return $"standard {(descriptor == Error ? "error" : "output")} of this command is a file on the mount";
            Files.Close(descriptor);
            if (descriptor == Input) StandardStreams.Occupy();
        }
        if (IsAloneInItsView()) Unmount(connection);
        return null;
    }

    private static bool IsOn(int descriptor, int connection) =>
        FileStatus.Of(descriptor, "", FileStatus.OfDescriptor | FileStatus.WithoutAsking, FileStatus.Basic, out var status) == 0
        && status.DeviceMajor == 0 && status.DeviceMinor == (uint)connection;

    /// <summary>
    /// Unmounts the copies of a mount that end with this process, and whose end nobody else hears of: below a parent that shares
    /// what happens to it, the daemon's own unmounting takes the copy away.
    /// </summary>
    private static void Unmount(int connection)
    {
        var mounts = MountTable.Read();
        foreach (var mount in mounts)
            if (mount.DeviceMajor == 0 && mount.DeviceMinor == connection
                && mounts.Any(parent => parent.Id == mount.Parent && parent.Shared == 0))
                _ = Machine.Unmount(mount.MountPoint, lazily: false);
    }

    /// <summary>Whether no other process that can be seen has this one's mount namespace: "unshare -m tmemctl stop".</summary>
    private static bool IsAloneInItsView()
    {
        var own = Target("/proc/self");
        return own is not null && Directory.EnumerateDirectories("/proc")
            .Where(process => int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out var id)
                && id != Environment.ProcessId)
            .All(process => Target(process) != own);
    }

    private static string? Target(string process)
    {
        try
        {
            return new FileInfo(process + "/ns/mnt").LinkTarget;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // It has ended.
        }
    }
}
