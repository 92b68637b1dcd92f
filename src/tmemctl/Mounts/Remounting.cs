using Tmem.Control;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Mounts;

/// <summary>
/// <c>mount -o remount</c>: changes the capacity, owner and mode of the root directory, and the flags; of any other option that
/// asks for something else than what runs, it tells what changes that, and ends with 32. mount(8) gives a remount the options of
/// the line of fstab, too, so most of them ask for what there is.
/// </summary>
internal static class Remounting
{
    private const int PageShift = 12;
    private const string Again = "unmount it and mount it again";

    /// <summary>
    /// Does what can be done, also when something else cannot: "ro" has to work although another option was asked for in vain.
    /// What was not done makes it a failure, as a kernel's file system answers EINVAL.
    /// </summary>
    public static int Run(string directory, MountEntry mount, MountWish wish, HelperLines lines)
    {
        var client = wish.AsksDaemon && DaemonFinder.SocketOf(directory) is { } socket ? new ControlClient(socket) : null;
        var status = client?.Status().Value;
        List<string?> left = [];
        if (status is not null) left.Add(Resize(client!, status, wish.Capacity));
        // The root directory is changed while the mount is writable.
        var isReadOnly = (mount.Flags & MountFlags.ReadOnly) != 0;
        if (isReadOnly) left.Add(Change(directory, wish.Flags));
        left.Add(SetRoot(directory, wish, isReadOnly && (left[^1] is not null || (wish.Flags & MountFlags.ReadOnly) != 0)));
        if (!isReadOnly) left.Add(Change(directory, wish.Flags));
        if (status is not null) left.AddRange(Differences(wish, status));
        else if (wish.AsksDaemon)
            left.Add($"the daemon of {directory} does not answer: only what belongs to the mount was changed; see to it, and "
                + "remount again");
        var exit = HelperExit.Done;
        foreach (var line in left)
            if (line is not null) exit = lines.Fail(HelperExit.Failed, line);
        return exit;
    }

    /// <summary>Changes the flags; why that failed, or null.</summary>
    public static string? Change(string directory, uint flags) => Machine.Remount(directory, flags) switch
    {
        Errno.Ok => null,
        Errno.EBUSY => $"{directory} is busy: a file on it is open for writing",
        var error => $"{directory} cannot be remounted: {error.Problem()}",
    };

    /// <summary>What of the wish a remount leaves, with what would change it.</summary>
    public static IEnumerable<string> Differences(MountWish wish, StatusReply status)
    {
        foreach (var (option, value) in wish.DaemonOptions)
        {
            var name = option[2..];
            var (now, remedy) = name switch
            {
                "region" => (status.Region.StartsWith('/') ? status.Region : "none", Again),
                "sync-interval" => (Text(status.Settings?.SyncInterval, value), Again),
                "huge-pages" => (status.Settings is { HugePages: false } ? "off" : "", Again),
                "drop-damaged" => ("off", "it is for the moment when a region's file is opened: unmount it and mount it again"),
                "threads" => (Text(status.Threads, value), Upgrade()),
                "spin" => (Text(status.Settings?.Spin, value), Upgrade()),
                "recompress" => (Text(status.Settings?.Recompress, value), Again),
                "recompress-level" => (Text(status.Settings?.RecompressLevel, value), Again),
                "codec" => (status.Codec ?? "pool", Upgrade()),
                "log" => (status.Settings is { } settings ? settings.Log.ToString().ToLowerInvariant() : value, Upgrade()),
                _ => ("", Again),
            };
            if (now != value)
                yield return Left(name == "log" ? "log-level" : name, value, now, remedy);

            string Upgrade() => $"'{new ControlCommand(status.SocketPath).Line($"upgrade {option}", value)}' changes it";
        }
        if (wish.Socket is { } socket && socket != status.SocketPath)
            yield return Left("socket", socket, status.SocketPath, Again);
        if (wish.Log is { } log && !IsOpen(log, status.Processes)) yield return Left("log", log, "elsewhere", Again);
    }

    private static string Left(string name, string value, string now, string remedy) =>
        $"{name}{(value.Length == 0 ? "" : "=" + value)} is nothing that a remount changes, and it stays {now}; {remedy}";

    /// <summary>A number; as it is wished for, if it is not known.</summary>
    private static string Text(int? number, string wished) => number is { } known ? $"{known}" : wished;

    private static string? Resize(ControlClient client, StatusReply status, long? capacity)
    {
        // The kernel counts pages.
        if (capacity is not { } bytes || bytes >> PageShift == status.Store.CapacityBytes >> PageShift) return null;
        var reply = client.Resize(bytes);
        return reply.Value is not null ? null
            : "capacity: " + (reply.Error is { } refused ? $"{refused.Message}; {refused.Data?.Remedy}" : reply.Unreachable);
    }

    private static string? SetRoot(string directory, MountWish wish, bool isReadOnly)
    {
        if (!wish.SetsRoot) return null;
        var error = RootDirectory.Look(directory, wish, out var differs);
        if (error == Errno.Ok && differs)
        {
            if (isReadOnly) return $"uid, gid and mode are not changed while {directory} is for reading alone; give rw as well";
            error = RootDirectory.Set(directory, wish);
        }
        return error.Problem() is { } problem ? $"owner and mode of {directory} cannot be set: {problem}" : null;
    }

    /// <summary>Whether the keeper, which writes the log, has a file open; true if that cannot be seen.</summary>
    private static bool IsOpen(string file, ProcessFigures processes)
    {
        try
        {
            return ProcessDescriptors.Of($"/proc/{processes.KeeperPid}")
                .Any(link => new FileInfo(link).LinkTarget == file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }
}
