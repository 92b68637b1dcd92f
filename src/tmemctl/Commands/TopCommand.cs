using System.Diagnostics;
using Tmem.Control.Messages;
using Tmem.Ctl.Metrics;
using Tmem.Ctl.Output;
using Tmem.Ctl.Top;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl top</c>.</summary>
internal static class TopCommand
{
    private const int LongestInterval = 3600;

    public static Verb Create()
    {
        var once = Takes.Flag("--once", "Print one frame and end, as without a terminal.");
        var interval = Takes.Number("--interval", "Seconds between two looks, for example --interval 5. Default: 1.", 1,
            LongestInterval);
        return new("top",
            "Shows store, pools, swap, latencies and the daemon's memory, and what happens a second, until q is pressed. Left "
            + "and right sort the pools by another column, up and down scroll them.",
            (context, parse) => Run(context, TimeSpan.FromSeconds(parse.GetValue(interval) ?? 1), parse.GetValue(once)),
            once, interval);
    }

    private static int Run(CommandContext context, TimeSpan interval, bool once)
    {
        if (!once && context.Terminal.IsPerson && Screen.IsCapable) return Live(context, interval);
        var before = Snapshot.Take(context.Client, context.System, out var reply);
        if (!context.Terminal.Take(reply, out _, out var exit)) return exit;
        var began = Stopwatch.GetTimestamp();
        // As JSON there are no rates: whoever reads it takes two.
        if (!context.Terminal.Json) Thread.Sleep(interval);
        var now = context.Terminal.Json ? before : Snapshot.Take(context.Client, context.System, out reply);
        return context.Terminal.Print(reply, (output, _) =>
        {
            var change = new Change(before, now!, Stopwatch.GetElapsedTime(began).TotalSeconds);
            foreach (var line in TopView.Lines(change, PoolOrder.Memory, 0)) output.WriteLine(line);
        });
    }

    /// <summary>Until a key or a signal ends it. A daemon that is away, for a start anew say, is waited for.</summary>
    private static int Live(CommandContext context, TimeSpan interval)
    {
        using var screen = new Screen();
        var (order, from, taken) = (PoolOrder.Memory, 0, 0L);
        Change? change = null;
        string? waits = null;
        while (true)
        {
            if (Stopwatch.GetElapsedTime(taken) >= interval || change is null)
            {
                var before = waits is null ? change?.Now : null;
                var seconds = Stopwatch.GetElapsedTime(taken).TotalSeconds;
                taken = Stopwatch.GetTimestamp();
                var now = Snapshot.Take(context.Client, context.System, out var reply);
                waits = now is null ? reply.Error?.Message ?? reply.Unreachable : null;
                if (now is not null) change = new Change(before, now, seconds);
            }
            screen.Draw((width, height) => Frame(change, waits, order, from, width, height));
            var key = screen.WaitForKey(interval - Stopwatch.GetElapsedTime(taken), out var isEnded);
            if (isEnded || key is ConsoleKey.Q or ConsoleKey.Escape) return ExitCode.Done;
            order = order.Move(key switch { ConsoleKey.RightArrow => 1, ConsoleKey.LeftArrow => -1, _ => 0 });
            var pools = change?.Now.Reply.Pools.Count ?? 0;
            from = Math.Clamp(from + key switch { ConsoleKey.DownArrow => 1, ConsoleKey.UpArrow => -1, _ => 0 }, 0,
                Math.Max(pools - 1, 0));
        }
    }

    private static IEnumerable<string> Frame(Change? change, string? waits, PoolOrder order, int from, int width, int height) =>
    [
        .. waits is null ? [] : (string[])[$"WAITING FOR THE DAEMON: {Table.Printable(waits)}"],
        .. change is null ? [] : TopView.Lines(change, order, from, width, height),
    ];
}
