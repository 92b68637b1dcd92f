using Tmem.Fuse.Control;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>What signals make a worker do, those that its keeper forwards among them: one after another, in a thread of its own.
/// </summary>
/// <param name="daemon">The daemon that is asked.</param>
/// <param name="handover">Its page.</param>
/// <param name="descriptor">See <see cref="DaemonSignals.Open"/>.</param>
internal sealed class WorkerSignals(RunningDaemon daemon, Handover handover, int descriptor)
{
    private const int StackBytes = 256 << 10;

    /// <summary>Begins, until the process ends.</summary>
    public void Begin() => new Thread(Run, StackBytes) { IsBackground = true, Name = "signals" }.Start();

    private unsafe void Run()
    {
        while (true)
        {
            var poll = new PollDescriptor { Descriptor = descriptor, Events = Libc.POLLIN };
            _ = Libc.poll(&poll, 1, -1);
            while (DaemonSignals.Read(descriptor) is not 0 and var signal)
            {
                var name = $"{DaemonSignals.Name(signal)} ({signal})";
                if (signal == NativeProcess.SIGHUP)
                {
                    daemon.LookAfterSocket(name);
                    Log.Info($"{name}: settings are not read by a signal; '{handover.Tmemctl.Line("reload")}' applies them");
                }
                else if (!DaemonSignals.IsStop(signal)) Log.Info($"{name}: nothing to do; serving on");
                else DecideStop(name);
            }
        }
    }

    private void DecideStop(string signal)
    {
        var stops = daemon.TryStop(discard: false, () => true, out var reason, out _);
        if (stops && daemon.GivesWay)
        {
            Log.Info($"{signal}: this worker gives way to another one, which decides");
            return;
        }
        Interlocked.Increment(ref handover.Page.StopsDecided);
        if (stops) Log.Info($"{signal}: stopping");
        else
        {
            var (what, remedy) = StopRemedy.Of(reason, handover.Tmemctl);
            Log.Warning($"{signal}: {what}; serving on: {remedy}");
        }
    }
}
