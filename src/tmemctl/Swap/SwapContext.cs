using System.Diagnostics;
using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>The environment of the swap commands.</summary>
internal sealed record SwapContext(ControlClient Client, ISwapSystem System, Terminal Terminal)
{
    private static readonly TimeSpan s_closing = TimeSpan.FromSeconds(2);

    /// <summary>How often a person is told how far a work is.</summary>
    public TimeSpan ProgressPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Command lines that address the same daemon.</summary>
    public ControlCommand Tmemctl => Client.Command;

    /// <summary>The command line that turns a device on.</summary>
    public string OnLine(string pool) => Line("swap on", pool);

    /// <summary>The command line that turns a device off, or all if its pool is not known.</summary>
    public string OffLine(string pool) => pool.Length == 0 ? Tmemctl.Line("swap off --all") : Line("swap off", pool);

    // The usual one need not be named.
    private string Line(string verb, string pool) =>
        pool == SwapFile.DefaultPool ? Tmemctl.Line(verb) : Tmemctl.Line(verb, pool);

    /// <summary>
    /// Makes this process the only one at work on this swap; false, and said, if another is. What the other has half made would
    /// look like something left behind.
    /// </summary>
    public bool TryLock(StatusReply status, string line, out IDisposable? held, out int exit)
    {
        exit = System.Lock(SwapFile.PlaceOf(status), out held) is { } busy
            ? Terminal.Fail(ExitCode.Failed, busy, $"run '{line}' again once that has ended") : ExitCode.Done;
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
