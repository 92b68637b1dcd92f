using System.Diagnostics;
using Tmem.Control;
using Tmem.Control.Host;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Commands;

/// <summary>
/// The processes of a daemon, held by pidfds so that their end can be waited for. Waiting for the mount, the socket or the
/// connection to vanish was considered: all three do so while a process still has the region's file locked.
/// </summary>
internal sealed class DaemonProcesses : IDisposable
{
    private const int MostTries = 5;

    /// <summary>The keeper's first, if there is one.</summary>
    private readonly List<int> _descriptors = [];

    private DaemonProcesses() { }

    /// <summary>
    /// Opens the processes that a daemon reports; null where they cannot be seen: in another process namespace.
    /// </summary>
    public static DaemonProcesses? Hold(ControlClient client)
    {
        for (var tries = 0; tries < MostTries; tries++)
        {
            if (Named(client) is not { } named) return null;
            var held = new DaemonProcesses();
            // Reported again after they are held, and of one family: no number has been reused in between.
            if (held.TryHold(named.Keeper) && held.TryHold(named.Worker) && held.TryHold(named.Standby) && IsFamily(named)
                && Named(client) == named) return held;
            held.Dispose();
        }
        return null;
    }

    /// <summary>Waits until all have ended; false if that takes longer. Their descriptors are closed by then.</summary>
    public bool AwaitEnd(TimeSpan patience)
    {
        var began = Stopwatch.GetTimestamp();
        return _descriptors.TrueForAll(descriptor => Processes.AwaitEnd(descriptor, patience - Stopwatch.GetElapsedTime(began)));
    }

    /// <summary>Whether the keeper has ended: it ends last in an orderly stop.</summary>
    public bool KeeperHasEnded => Processes.AwaitEnd(_descriptors[0], TimeSpan.Zero);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var descriptor in _descriptors) Files.Close(descriptor);
        _descriptors.Clear();
    }

    private static (int Keeper, int Worker, int Standby)? Named(ControlClient client) =>
        client.Status().Value?.Processes is { } named
            ? (named.KeeperPid, named.WorkerPid, named.StandbyPid) : null;

    /// <summary>A keeper and its workers have the same command line, and a worker has a name of its own.</summary>
    private static bool IsFamily((int Keeper, int Worker, int Standby) named) =>
        Read(named.Worker, "comm") == "tmemd-worker"
        && (named.Keeper == 0 || Read(named.Keeper, "cmdline") == Read(named.Worker, "cmdline"));

    private static string? Read(int process, string file) => KernelFile.TryRead($"/proc/{process}/{file}");

    private bool TryHold(int process)
    {
        if (process == 0) return true;
        if (Processes.Hold(process, out var descriptor) != Errno.Ok) return false;
        _descriptors.Add(descriptor);
        return true;
    }
}
