using System.Runtime.InteropServices;
using Tmem.Fuse.Control;
using Tmem.Fuse.Control.Messages;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Session;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// The life of tmemd: get ready, mount, serve, and end only when nobody needs the mount any more. A stop that is refused (swap is on it,
/// somebody has a file open) is logged and changes nothing; asking again later is the way.
/// </summary>
internal sealed class DaemonProcess : IDaemon
{
    private static readonly PosixSignal[] s_stopSignals = [PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGHUP, PosixSignal.SIGQUIT];

    private readonly ServedMount _mount;
    private readonly Lock _stopLock = new();

    private DaemonProcess(ServedMount mount, DaemonOptions options, string regionName)
    {
        _mount = mount;
        Threads = options.Threads;
        RegionName = regionName;
    }

    /// <inheritdoc/>
    public string Version { get; } = typeof(DaemonProcess).Assembly.GetName().Version?.ToString(3) ?? "unknown";

    /// <inheritdoc/>
    public int ProcessId { get; } = Environment.ProcessId;

    /// <inheritdoc/>
    public string MountPoint => _mount.MountPoint;

    /// <inheritdoc/>
    public string RegionName { get; }

    /// <inheritdoc/>
    public DateTimeOffset StartedAt { get; } = DateTimeOffset.UtcNow;

    /// <inheritdoc/>
    public int Threads { get; }

    /// <summary>Runs until unmounted.</summary>
    /// <returns>The exit code: 0 after an orderly end, 1 if it could not start or the connection broke.</returns>
    public static int Run(DaemonOptions options, string? ioFlusherWarning)
    {
        Log.Level = options.LogLevel;
        try
        {
            if (ioFlusherWarning is not null) Log.Warning(ioFlusherWarning);
            Composition.EnsureSocketFree(options.SocketPath);
            if (ProcessPriority.AvoidOutOfMemoryKiller() is { } warning) Log.Warning(warning);
            var memory = LockedMemory.Lock();
            using var composition = Composition.Create(options, memory);
            return Serve(options, composition);
        }
        catch (StartupException e)
        {
            Log.Error(e.Message);
            return 1;
        }
    }

    /// <inheritdoc/>
    public bool TryStop(out string reason)
    {
        lock (_stopLock) reason = _mount.TryStop() ?? "";
        return reason.Length == 0;
    }

    private static int Serve(DaemonOptions options, Composition composition)
    {
        var session = new SessionOptions(options.Spin, composition.PrepareThread);
        using var mount = ServedMount.Start(composition.Handler, options.MountPoint, options.Threads, session);
        var daemon = new DaemonProcess(mount, options, composition.RegionName);
        ControlServer control;
        try
        {
            control = composition.StartControl(daemon, options.SocketPath);
        }
        catch
        {
            if (!daemon.TryStop(out var reason)) Log.Error(reason);
            _ = mount.Ended.Wait(TimeSpan.FromSeconds(10));
            throw;
        }
        using (control)
        {
            var signals = s_stopSignals.Select(signal => PosixSignalRegistration.Create(signal, daemon.OnSignal)).ToList();
            Log.Info($"serving {mount.MountPoint} (FUSE connection {mount.Connection}) with {options.Threads} threads and a capacity of "
                + $"{ByteSize.Format(options.CapacityBytes)}; control socket {options.SocketPath}");
            var end = mount.Ended.GetAwaiter().GetResult();
            foreach (var signal in signals) signal.Dispose();
            return daemon.Finish(end);
        }
    }

    private void OnSignal(PosixSignalContext context)
    {
        // The default would end the process here, mount and swap or not.
        context.Cancel = true;
        if (TryStop(out var reason)) Log.Info($"{context.Signal}: stopping");
        else Log.Warning($"{context.Signal}: {reason}; serving on. Turn swap off (tmemctl swap off), close what is open there, and stop again");
    }

    private int Finish(SessionEnd end)
    {
        if (end == SessionEnd.Unmounted)
        {
            Log.Info($"{MountPoint} is unmounted; ending");
            return 0;
        }
        var error = _mount.RemoveStaleMount();
        var rest = error == Abi.Errno.Ok ? "It is unmounted." : $"It cannot be unmounted ({Libc.Describe(error)}): run umount -l '{MountPoint}'.";
        Log.Error(end == SessionEnd.Aborted
            ? $"the connection of {MountPoint} was aborted through /sys/fs/fuse/connections/{_mount.Connection}. {rest}"
            : $"serving {MountPoint} failed. {rest}");
        return 1;
    }
}
