using System.Diagnostics;
using System.Runtime.InteropServices;
using Tmem.Control;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Commands;

/// <summary>
/// The processes of a daemon, held by pidfds so that their end can be waited for. Waiting for the mount, the socket or the
/// connection to go was weighed: all three do while a process still has the region's file locked.
/// </summary>
internal sealed partial class DaemonProcesses : IDisposable
{
    private const int MostTries = 5;
    private const short Readable = 1;
    private const int EINTR = 4;
    /// <summary>pidfd_open(2), which has no wrapper in older C libraries; its number is the same everywhere.</summary>
    private const nint PidDescriptor = 434;

    /// <summary>The keeper's first, if there is one.</summary>
    private readonly List<int> _descriptors = [];

    private DaemonProcesses() { }

    /// <summary>Takes hold of those that a daemon names; null where they cannot be seen: in another process namespace.</summary>
    public static DaemonProcesses? Hold(ControlClient client)
    {
        for (var tries = 0; tries < MostTries; tries++)
        {
            if (Named(client) is not { } named) return null;
            var held = new DaemonProcesses();
            // Named again after they are held, and of one family: no number has become somebody else's in between.
            if (held.TryHold(named.Keeper) && held.TryHold(named.Worker) && held.TryHold(named.Standby) && IsFamily(named)
                && Named(client) == named) return held;
            held.Dispose();
        }
        return null;
    }

    /// <summary>Waits until all have ended; false if that takes longer. What they had open is closed by then.</summary>
    public bool AwaitEnd(TimeSpan patience)
    {
        var began = Stopwatch.GetTimestamp();
        return _descriptors.TrueForAll(descriptor => AwaitEnd(descriptor, patience - Stopwatch.GetElapsedTime(began)));
    }

    /// <summary>Whether the keeper has ended: of a daemon that ends in order, it is the last.</summary>
    public bool KeeperHasEnded => AwaitEnd(_descriptors[0], TimeSpan.Zero);

    private static bool AwaitEnd(int descriptor, TimeSpan patience)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            var left = Math.Clamp((patience - Stopwatch.GetElapsedTime(began)).TotalMilliseconds, 0, int.MaxValue);
            var wait = new Poll { Descriptor = descriptor, Events = Readable };
            var ready = Wait(ref wait, 1, (int)left);
            if (ready > 0) return true;
            if (ready == 0 || Marshal.GetLastPInvokeError() != EINTR) return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var descriptor in _descriptors) _ = Close(descriptor);
        _descriptors.Clear();
    }

    private static (int Keeper, int Worker, int Standby)? Named(ControlClient client) =>
        client.Call(ControlMethod.Status, ControlReplyJson.Default.StatusReply).Value?.Processes is { } named
            ? (named.KeeperPid, named.WorkerPid, named.StandbyPid) : null;

    /// <summary>A keeper and its workers have one command line, and a worker is called so.</summary>
    private static bool IsFamily((int Keeper, int Worker, int Standby) named) =>
        Read(named.Worker, "comm") == "tmemd-worker\n"
        && (named.Keeper == 0 || Read(named.Keeper, "cmdline") == Read(named.Worker, "cmdline"));

    private static string Read(int process, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/{file}");
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private bool TryHold(int process)
    {
        if (process == 0) return true;
        var descriptor = (int)SystemCall(PidDescriptor, process, 0);
        if (descriptor < 0) return false;
        _descriptors.Add(descriptor);
        return true;
    }

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Poll
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint process, nint flags);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Wait(ref Poll descriptors, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
