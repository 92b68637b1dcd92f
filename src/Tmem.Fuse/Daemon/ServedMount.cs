using System.Diagnostics;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Session;

namespace Tmem.Fuse.Daemon;

/// <summary>A mount with the session that serves it.</summary>
internal sealed class ServedMount : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    private readonly FuseMount _mount;
    private readonly FuseSession _session;

    private ServedMount(FuseMount mount, FuseSession session)
    {
        _mount = mount;
        _session = session;
    }

    public string MountPoint => _mount.MountPoint;

    /// <summary>The mount's number under /sys/fs/fuse/connections; -1 if unknown.</summary>
    public int Connection => _mount.Connection;

    /// <summary>Completes when the mount is no longer served.</summary>
    public Task<SessionEnd> Ended => _session.Ended;

    /// <summary>Serves a connection.</summary>
    /// <param name="handler">The protocol.</param>
    /// <param name="connection">The mount and its descriptors, each of which gets a thread.</param>
    /// <param name="options">Settings of the session.</param>
    /// <exception cref="StartupException">No memory.</exception>
    public static ServedMount Start(IRequestHandler handler, FuseConnection connection, SessionOptions options)
    {
        var session = new FuseSession(connection.Devices, handler, options);
        session.Start();
        return new ServedMount(connection.Mount, session);
    }

    /// <summary>Whether requests are taken: see <see cref="FuseSession.TakesRequests"/>.</summary>
    public bool TakesRequests() => _session.TakesRequests();

    /// <inheritdoc cref="FuseSession.Gather"/>
    public void Gather(ref Latencies sum) => _session.Gather(ref sum);

    /// <summary>
    /// Stops reading requests, leaving the mount to a successor; <see cref="Ended"/> completes when everything that was read is
    /// answered.
    /// </summary>
    public void Quiesce() => _session.Quiesce();

    /// <summary>Unmounts unless the mount is in use.</summary>
    /// <param name="openFiles">
    /// How many files of it the kernel has open now, for whatever user: a swap device, a process in another mount namespace.
    /// </param>
    /// <param name="wanted">Whether the caller still waits: asked last, before the irreversible step.</param>
    /// <returns>
    /// Null when it is unmounted and gone (then <see cref="Ended"/> completes), else the obstacle: a clause without a full stop.
    /// </returns>
    public string? TryStop(Func<long> openFiles, Func<bool> wanted)
    {
        if (_session.Ended.IsCompleted) return null;
        if (Obstacle(passesSwap: false, out var silent) is { } obstacle) return obstacle;
        // A file just closed is released a moment later.
        if (!Await(() => openFiles() == 0))
            return $"{openFiles()} files on {MountPoint} are open, and by no process that can be seen: by a loop device, "
                + "that may be swapped to (see losetup -a, /proc/swaps)" + Perhaps(silent);
        foreach (var process in silent)
            Log.Warning($"{process} does not answer: what it has mapped could not be seen, and {MountPoint} has no open file");
        // No wait is left from here on: a caller that has given up meanwhile has been told that nothing was done.
        if (!wanted()) return "whoever asked has hung up";
        var error = _mount.Unmount();
        if (error == Errno.EBUSY)
        {
            (var holders, silent) = MountHolders.Find(MountPoint, Connection);
            return $"{MountPoint} is busy, held by "
                + (holders.Count > 0 ? string.Join(", ", holders) : "somebody" + Perhaps(silent));
        }
        // EINVAL: no longer a mount.
        if (error is not (Errno.Ok or Errno.EINVAL)) return $"{MountPoint} cannot be unmounted: {Libc.Describe(error)}";
        return Await(() => _session.Ended.IsCompleted) ? null
            : $"{MountPoint} is unmounted, but something that cannot be seen from here still uses its files, and is served "
                + "until it lets go";
    }

    /// <summary>A process that hangs holds nothing as a rule: it is no obstacle, and named only where there is one.</summary>
    private static string Perhaps(IReadOnlyList<string> silent) =>
        string.Concat(silent.Select(process => $", perhaps by {process}, which does not answer"));

    /// <summary>Who is in the way of an unmount, as far as can be seen; null if nobody is. Nothing is changed.</summary>
    /// <param name="passesSwap">Whether swap on it is about to be turned off, and counts for nothing.</param>
    /// <param name="silent">Processes that did not say what they hold.</param>
    public string? Obstacle(bool passesSwap, out IReadOnlyList<string> silent)
    {
        silent = [];
        var swaps = SwapGuard.SwapInUse(MountPoint);
        if (!passesSwap && swaps.Count > 0) return $"swap is still on {MountPoint}: {string.Join(", ", swaps)}";
        // An unmount would take that one away instead.
        if (MountCopies.Cover(MountPoint, Connection, MountTable.Read()) is { } cover)
            return $"{MountPoint} is covered: a {cover} file system is mounted over it; unmount that first "
                + $"(umount {ShellWord.Of(MountPoint)}), and stop again";
        // Checked before the unmount: our own mount may be idle while another one, in another namespace say, keeps the file
        // system.
        (var holders, silent) = MountHolders.Find(MountPoint, Connection);
        holders = [.. holders.Where(holder => !swaps.Any(swap => holder == $"loop device {swap.Split(' ')[0]}"))];
        return holders.Count == 0 ? null : $"{MountPoint} is busy, held by {string.Join(", ", holders)}";
    }

    private static bool Await(Func<bool> done)
    {
        for (var started = Stopwatch.GetTimestamp(); !done(); Thread.Sleep(5))
            if (Stopwatch.GetElapsedTime(started) > s_patience) return done();
        return true;
    }

    /// <summary>Unmounts a mount that is no longer served. Only after <see cref="Ended"/>.</summary>
    public Errno RemoveStaleMount() =>
        MountTable.At(MountPoint, MountTable.Read()) is { FileSystemType: FuseMount.FileSystemType } entry
            && entry.DeviceMinor == Connection
            ? _mount.Unmount() : Errno.Ok;

    /// <summary>Frees the session. Only after <see cref="Ended"/>.</summary>
    public void Dispose() => _session.Dispose();
}
