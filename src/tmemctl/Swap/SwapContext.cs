using System.Diagnostics;
using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>The environment of the swap commands.</summary>
internal sealed record SwapContext(ControlClient Client, ISwapSystem System, Terminal Terminal)
{
    private static readonly TimeSpan s_closing = TimeSpan.FromSeconds(2);

    /// <summary>Command lines that address the same daemon.</summary>
    public ControlCommand Tmemctl => Client.Command;

    /// <summary>
    /// Makes this process the only one at work on this swap; false, and said, if another is. What the other has half made would
    /// look like something left behind.
    /// </summary>
    public bool TryLock(StatusReply status, string command, out IDisposable? held, out int exit)
    {
        exit = System.Lock(SwapFile.PlaceOf(status), out held) is { } busy
            ? Terminal.Fail(ExitCode.Failed, busy, $"run '{Tmemctl.Line(command)}' again once that has ended") : ExitCode.Done;
        return exit == ExitCode.Done;
    }

    /// <summary>
    /// Destroys a pool unless it holds files. A file closed a moment ago may still count as open: the kernel tells the daemon
    /// after close(2) has returned.
    /// </summary>
    public Reply<PoolDestroyReply> DestroyPool(string pool)
    {
        for (var started = Stopwatch.GetTimestamp(); ; Thread.Sleep(20))
        {
            var reply = Client.DestroyPool(pool);
            if (reply.Error is not { Code: ControlErrorCode.Busy } || Stopwatch.GetElapsedTime(started) > s_closing) return reply;
        }
    }
}
