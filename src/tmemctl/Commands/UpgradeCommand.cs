using System.CommandLine;
using System.Diagnostics;
using Tmem.Control;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl upgrade</c>.</summary>
internal static class UpgradeCommand
{
    private const int LongestPath = 4095;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var binary = new Option<string?>("--binary")
        {
            Description =
                "The program to go on with, a file that root alone can change; without it, what now lies where the running one "
                + "was started from. "
                + "Example: --binary /usr/local/sbin/tmemd",
            HelpName = "PATH",
        };
        var threads = CommandTree.NumberOption("--threads", "Threads that serve requests.", 1, ControlProtocol.MaximumThreads);
        var spin = CommandTree.NumberOption("--spin", "Microseconds a thread polls before it sleeps.", 0,
            ControlProtocol.MaximumSpin);
        var log = new Option<LogWish?>("--log")
        {
            Description = "Least level of events to log: debug, info, warning or error.", HelpName = "LEVEL",
            CustomParser = argument => UsageValues.OneOf(argument, "--log", ("debug", LogWish.Debug), ("info", LogWish.Info),
                ("warning", LogWish.Warning), ("error", LogWish.Error)),
        };
        var codec = new Option<CodecWish?>("--codec")
        {
            Description = "What new pages are compressed with: lz4, lz4-reference, zstd, or pool for each pool's own codec.",
            HelpName = "CODEC",
            CustomParser = argument => UsageValues.OneOf(argument, "--codec", ("lz4", CodecWish.Lz4),
                ("lz4-reference", CodecWish.Lz4Reference), ("zstd", CodecWish.Zstd), ("pool", CodecWish.Pool)),
        };
        binary.AcceptPaths(LongestPath, optional: true);
        var command = new Command("upgrade",
            "Goes on with another program or other settings while the mount is in use: no request fails. If the new worker does "
            + "not get ready, the old one serves on.")
        { binary, threads, spin, log, codec };
        command.SetAction(parse => Run(context(parse), new UpgradeParameters
        {
            Binary = parse.GetValue(binary) is { } program ? Path.GetFullPath(program) : null,
            Threads = parse.GetValue(threads),
            Spin = parse.GetValue(spin),
            Log = parse.GetValue(log),
            Codec = parse.GetValue(codec),
        }));
        return command;
    }

    private static int Run(CommandContext context, UpgradeParameters wish)
    {
        using var processes = DaemonProcesses.Hold(context.Client);
        var call = context.Client.Call(ControlMethod.Upgrade, wish, ControlJson.Default.UpgradeParameters,
            ControlReplyJson.Default.UpgradeReply, ControlClient.Long);
        if (!context.Terminal.Take(call, out var old, out var exit)) return exit;
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < Patience; Thread.Sleep(10))
        {
            // Before it is asked: then what it says is the last word.
            var isOver = processes?.KeeperHasEnded == true;
            // Between two workers a connection may end without an answer.
            if (context.Client.Call(ControlMethod.Status, ControlReplyJson.Default.StatusReply)
                is not { Value.Processes: var now })
            {
                if (isOver && WasStopped(context)) break;
                continue;
            }
            if (now.Upgrades > old.Upgrades)
                return context.Terminal.Done(now, CtlJson.Default.ProcessFigures,
                    output => output.WriteLine($"worker {now.WorkerPid} serves in the place of {old.WorkerPid}"));
            if (now.UpgradeProblem is { } problem)
                return context.Terminal.Fail(ExitCode.Failed, "tmemd serves on as it was: " + problem,
                    "remove the cause and upgrade again");
            if (isOver)
                return context.Terminal.Fail(ExitCode.Failed,
                    "the daemon's keeper ended meanwhile, and nothing tells of the upgrade",
                    $"see with '{context.Tmemctl.Line("status")}' who serves");
        }
        return WasStopped(context)
            ? context.Terminal.Fail(ExitCode.Failed, "the daemon was stopped meanwhile", "start it again if that was not meant")
            : context.Terminal.Fail(ExitCode.Failed, "the new worker was ready and does not serve", "look at the daemon's log");
    }

    /// <summary>A daemon that ends in order takes its socket away; one that dies leaves it.</summary>
    private static bool WasStopped(CommandContext context) => !Path.Exists(context.Client.SocketPath);
}
