using Tmem.Fuse.Keeper;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// Shows the keeper that this worker takes requests: every second, as long as it does. A thread of its own, because a thread that
/// serves could be the one that is stuck; and no request of its own, because a process that waits for itself cannot be ended.
/// </summary>
internal static class Heartbeat
{
    private const int StackBytes = 128 << 10;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    /// <summary>Begins.</summary>
    public static void Begin(Handover handover, ServedMount mount) => new Thread(() =>
    {
        for (; !mount.Ended.IsCompleted; Thread.Sleep(s_interval))
            if (mount.TakesRequests()) Volatile.Write(ref handover.Page.Beat, Environment.TickCount64);
    }, StackBytes) { IsBackground = true, Name = "heartbeat" }.Start();
}
