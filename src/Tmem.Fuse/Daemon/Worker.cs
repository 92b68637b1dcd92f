using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Control;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Native;
using Tmem.Fuse.Session;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// The life of a worker: take over what the keeper holds, attach to the region, serve, and end only when the mount is no longer
/// needed or another worker takes over.
/// </summary>
internal static unsafe class Worker
{
    private static readonly TimeSpan s_refreshInterval = TimeSpan.FromSeconds(1);

    /// <summary>Runs until the mount is gone or a successor serves it.</summary>
    /// <param name="role">Worker, or successor to one that serves.</param>
    /// <param name="page">The descriptor of the handover page.</param>
    /// <param name="line">The link to the keeper.</param>
    /// <param name="term">The term that it was started in: see <see cref="Tenure"/>.</param>
    /// <returns>The exit code: 0 after an orderly end, 1 if it could not start or the connection broke.</returns>
    public static int Run(Role role, int page, Link line, int term)
    {
        try
        {
            if (Handover.Adopt(page, term) is not { } handover) return 0;
            var settings = role == Role.Successor ? handover.Page.Proposed : handover.Page.Current;
            Log.Level = (LogLevel)settings.LogLevel;
            Launcher.Close(handover, line);
            LogPipe.Join(handover);
            ProcessRights.KeepMemoryToSelf();
            var signals = DaemonSignals.Open();
            ProcessPriority.NameProcess(role == Role.Successor ? "tmemd-next\0"u8 : "tmemd-worker\0"u8);
            var watch = role == Role.Successor ? DeathWatch.Begin(handover, line) : null;
            // All threads except the death watch, which looks into another process.
            ProcessRights.Lower();
            var memory = LockedMemory.Lock();
            using var prepared = role == Role.Successor ? Composition.Prepare(handover, settings, memory) : null;
            if (role == Role.Successor && !AwaitTurn(handover, line, prepared!)) return 1;
            watch?.End();
            // Earlier signals were meant for the worker that served then.
            if (role == Role.Successor) while (DaemonSignals.Read(signals) != 0) { }
            ProcessPriority.AllStepForward();
            ProcessPriority.NameProcess("tmemd-worker\0"u8);
            using var composition = Composition.Create(handover, memory, prepared);
            if (memory.Warning is { } warning) Log.Warning(warning);
            return Serve(handover, line, composition, signals);
        }
        catch (StartupException e)
        {
            Log.Error(e.Message);
            return 1;
        }
    }

    /// <summary>Called when all preparation beside a serving worker is done: waits until that worker has ended.</summary>
    private static bool AwaitTurn(Handover handover, Link line, RegionTakeover prepared)
    {
        // A thread whose priority is raised in its sleep still owes the time it has had: 200 ms passed before it ran.
        ProcessPriority.StepForward();
        line.Send(LinkMessage.Ready);
        while (true)
        {
            switch (line.Receive(s_refreshInterval, out var descriptor))
            {
                case LinkMessage.TakeOver: return true;
                case LinkMessage.Listener:
                    handover.TakeListener(descriptor);
                    break;
                // Without the keeper, nothing tells when the region is free.
                case LinkMessage.Closed: return false;
                case LinkMessage.None:
                    ProcessPriority.StepBack();
                    prepared.Refresh();
                    ProcessPriority.StepForward();
                    break;
            }
        }
    }

    private static int Serve(Handover handover, Link line, Composition composition, int signals)
    {
        ref var page = ref handover.Page;
        var settings = page.Current;
        var devices = Devices(ref page);
        var connection = new FuseConnection(FuseMount.Adopt(handover.MountPoint, page.Connection), devices[..settings.Threads]);
        var requests = new RequestBuffers(page.Buffers);
        var deferred = new DeferredReplies(requests.MapTable(), devices, composition.Handler,
            () => handover.Page.NotifyingThread = NativeProcess.ThreadNumber(),
            () => handover.Page.ForgettingThread = NativeProcess.ThreadNumber());
        if (page.ConnectionUsed != 0)
        {
            var takeover = new Takeover(requests, devices, composition.Handler, deferred, handover.Tmemctl,
                handover.WasFault);
            takeover.Run(page.BufferCount, Environment.ProcessId);
            page.Refused += takeover.Refused;
            if (AskForUnanswered(devices[0])) deferred.Forget();
        }
        else Takeover.Begin(requests, Environment.ProcessId);
        deferred.Start();
        page.ConnectionUsed = 1;
        page.BufferCount = Math.Max(page.BufferCount, settings.Threads);
        var session = new SessionOptions(TimeSpan.FromMicroseconds(settings.SpinMicroseconds), requests, deferred,
            composition.PrepareThread, GroupStatistics.KeepFresh());
        DeathWatch.ShowLife(handover);
        page.ServingProcess = Environment.ProcessId;
        using var mount = ServedMount.Start(composition.Handler, connection, session);
        var daemon = new RunningDaemon(handover, mount, line, composition);
        using (daemon.Start())
        {
            new WorkerSignals(daemon, handover, signals).Begin();
            Log.Info(
                $"serving {mount.MountPoint} (FUSE connection {mount.Connection}) with {Counted.Of(settings.Threads, "thread")} "
                + $"and a capacity of {ByteSize.Format(settings.CapacityBytes)}; control socket {handover.SocketPath}");
            var end = mount.Ended.GetAwaiter().GetResult();
            if (end == SessionEnd.Quiesced)
            {
                // Unmapping a large store takes as long as attaching to it: the successor need not wait for that.
                if (composition.TryRest())
                {
                    line.Send(LinkMessage.Retired);
                    ProcessPriority.AllStepBack();
                }
                // Not the ordinary exit: writing the region's file takes time, and the successor waits for it.
                NativeProcess._exit(0);
            }
            page.ConnectionOver = 1;
            daemon.NoteEnd();
            return Finish(handover, mount, end);
        }
    }

    /// <summary>
    /// The connection's descriptors as the keeper holds them. Those beyond the threads' have no requests of their own to read,
    /// but a request that an earlier thread read through one is answered through it.
    /// </summary>
    private static List<FuseDevice> Devices(ref HandoverPage page)
    {
        var devices = new List<FuseDevice>();
        for (var i = 0; i < page.DeviceCount; i++) devices.Add(FuseDevice.Adopt(page.Devices[i]));
        return devices;
    }

    /// <summary>
    /// Has the kernel resend what is not answered; false before Linux 6.9, where waiting requests are answered from the table.
    /// </summary>
    private static bool AskForUnanswered(FuseDevice device)
    {
        var error = device.ResendUnanswered();
        if (error is not (Errno.Ok or Errno.EINVAL or Errno.ENODEV or Errno.ECONNABORTED or Errno.ENOTCONN))
            Log.Error($"{FuseDevice.Path} refused to send again what the last worker had read: {Libc.Describe(error)}.");
        return error == Errno.Ok;
    }

    private static int Finish(Handover handover, ServedMount mount, SessionEnd end)
    {
        // The keeper removes it too, if it lives, which is not known here. A socket of another daemon stays.
        ControlSocket.Remove(handover.SocketPath, handover.SocketFile);
        if (end == SessionEnd.Unmounted)
        {
            Log.Info($"{mount.MountPoint} is unmounted; ending");
            return 0;
        }
        Errno error;
        using (ProcessRights.Raise()) error = mount.RemoveStaleMount();
        var rest = error == Errno.Ok ? "It is unmounted."
            : $"It cannot be unmounted ({Libc.Describe(error)}): run: "
                + handover.Tmemctl.Line("recover --mount", mount.MountPoint);
        Log.Error(end == SessionEnd.Aborted
            ? $"the connection of {mount.MountPoint} was aborted through /sys/fs/fuse/connections/{mount.Connection}. {rest}"
            : $"serving {mount.MountPoint} failed. {rest}");
        return 1;
    }
}
