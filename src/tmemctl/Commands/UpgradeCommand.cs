using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl upgrade</c>.</summary>
internal static class UpgradeCommand
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    public static Verb Create()
    {
        var binary = Takes.Path("--binary", "PATH",
            "The program to go on with, a file that root alone can change; without it, what now lies where the running one was "
            + "started from. Example: --binary /usr/local/sbin/tmemd");
        var threads = Takes.Number("--threads", "Threads that serve requests.", 1, ControlProtocol.MaximumThreads);
        var spin = Takes.Number("--spin", "Microseconds a thread polls before it sleeps.", 0, ControlProtocol.MaximumSpin);
        var log = Takes.Word("--log", "LEVEL", "Least level of events to log: debug, info, warning or error.",
            ("debug", LogWish.Debug), ("info", LogWish.Info), ("warning", LogWish.Warning), ("error", LogWish.Error));
        var codec = Takes.Word("--codec", "CODEC",
            "What new pages are compressed with: lz4, lz4-reference, zstd, or pool for each pool's own codec.",
            ("lz4", CodecWish.Lz4), ("lz4-reference", CodecWish.Lz4Reference), ("zstd", CodecWish.Zstd),
            ("pool", CodecWish.Pool));
        return new("upgrade",
            "Goes on with another program or other settings while the mount is in use: no request fails. If the new worker does "
            + "not get ready, the old one serves on.",
            (context, parse) => Run(context, new UpgradeParameters
            {
                Binary = parse.FullPath(binary),
                Threads = parse.GetValue(threads),
                Spin = parse.GetValue(spin),
                Log = parse.GetValue(log),
                Codec = parse.GetValue(codec),
            }),
            binary, threads, spin, log, codec);
    }

    private static int Run(CommandContext context, UpgradeParameters wish) =>
        TryRun(context, wish, out var old, out var now, out var exit)
            ? context.Terminal.Done(now,
                output => output.WriteLine($"worker {now.WorkerPid} serves in the place of {old.WorkerPid}"))
            : exit;

    /// <summary>Carries it out, and waits until the new worker serves; else reports why not, with the exit code.</summary>
    public static bool TryRun(CommandContext context, UpgradeParameters wish,
        [NotNullWhen(true)] out UpgradeReply? old, [NotNullWhen(true)] out ProcessFigures? served, out int exit)
    {
        exit = Try(context, wish, out old, out served);
        return served is not null;
    }

    private static int Try(CommandContext context, UpgradeParameters wish, out UpgradeReply? old, out ProcessFigures? served)
    {
        served = null;
        using var processes = DaemonProcesses.Hold(context.Client);
        if (!context.Terminal.Take(context.Client.Upgrade(wish), out old, out var exit)) return exit;
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < s_patience; Thread.Sleep(10))
        {
            // Before the request: so that its answer is the latest.
            var isOver = processes?.KeeperHasEnded == true;
            // Between two workers a connection may end without an answer.
            if (context.Client.Status() is not { Value.Processes: var now })
            {
                if (isOver && WasStopped(context)) break;
                continue;
            }
            if (now.Upgrades > old.Upgrades)
            {
                served = now;
                return ExitCode.Done;
            }
            if (now.UpgradeProblem is { } problem)
                return context.Terminal.Fail(ExitCode.Failed, "tmemd serves on as it was: " + problem, UpgradeRemedy.Of(problem));
            if (isOver)
                return context.Terminal.Fail(ExitCode.Unknown,
                    "the daemon's keeper ended meanwhile, and nothing tells of the upgrade",
                    $"see with '{context.Tmemctl.Line("status")}' who serves");
        }
        return WasStopped(context)
            ? context.Terminal.Fail(ExitCode.Failed, "the daemon was stopped meanwhile", "start it again if that was not meant")
            : context.Terminal.Fail(ExitCode.Failed, "the new worker was ready and does not serve", "look at the daemon's log");
    }

    /// <summary>A daemon that ends in order removes its socket; one that dies leaves it.</summary>
    private static bool WasStopped(CommandContext context) => !Path.Exists(context.Client.SocketPath);
}
