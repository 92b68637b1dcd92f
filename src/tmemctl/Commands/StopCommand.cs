using System.CommandLine;
using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary>What <c>stop</c> came to.</summary>
/// <param name="Pid">The daemon's process.</param>
/// <param name="Ended">Whether all of its processes have ended; else they are about to.</param>
internal sealed record StopReport(int Pid, bool Ended);

/// <summary><c>tmemctl stop</c>.</summary>
internal static class StopCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var noWait = new Option<bool>("--no-wait")
        {
            Description = "Return when the daemon has unmounted, and not when its processes have ended.",
        };
        var command = new Command("stop", "Unmounts and ends the daemon, and returns when its processes have ended. Refused "
            + "while swap or an open file is on the mount.") { noWait };
        command.SetAction(parse => Run(context(parse), parse.GetValue(noWait)));
        return command;
    }

    private static int Run(CommandContext context, bool noWait)
    {
        if (Swap(context) is { } refusal) return refusal;
        using var processes = noWait ? null : DaemonProcesses.Hold(context.Client);
        var reply = context.Client.Call(ControlMethod.Stop, ControlReplyJson.Default.StopReply, ControlClient.Long);
        if (!context.Terminal.Take(reply, out var stop, out var exit)) return exit;
        var daemon = $"tmemd (process {stop.Pid})";
        var patience = context.Client.Patience ?? ControlClient.Long;
        if (processes?.AwaitEnd(patience) == false)
            return context.Terminal.Fail(ExitCode.Unknown,
                $"{daemon} has unmounted and was still ending after {patience.TotalSeconds:0.#} s",
                "look at its log, and start no other on its region or its socket before the process is gone");
        return context.Terminal.Done(new StopReport(stop.Pid, processes is not null), CtlJson.Default.StopReport,
            output => output.WriteLine(processes is not null ? $"{daemon} has ended"
                : noWait ? $"{daemon} is ending"
                : $"{daemon} is ending, and was not waited for: its processes cannot be seen from here"));
    }

    /// <summary>
    /// The exit code if swap is on the mount. The daemon looks too, but must not ask its own mount which file a device stands on:
    /// this process may. If it learns nothing, the daemon's answer is the one that counts.
    /// </summary>
    private static int? Swap(CommandContext context)
    {
        if (context.Client.Call(ControlMethod.Status, ControlReplyJson.Default.StatusReply).Value is not { } status) return null;
        if (context.Client.Call(ControlMethod.PoolList, ControlReplyJson.Default.PoolListReply).Value is not { } list)
            return null;
        var on = SwapFile.Find(context.System, SwapFile.PlaceOf(status), list.Pools).Where(file => file.Entry is not null)
            .ToList();
        if (on.Count == 0) return null;
        var devices = string.Join(", ", on.Select(file => $"{file.Device} (file {file.Path})"));
        var off = on.All(file => file.IsOurs) ? context.Tmemctl.Line("swap off") : "swapoff DEVICE";
        return context.Terminal.Fail(ExitCode.Failed, $"tmemd goes on: swap is still on {status.MountPoint}: {devices}",
            $"turn it off with '{off}', and stop again", ControlErrorCode.StopRefused);
    }
}
