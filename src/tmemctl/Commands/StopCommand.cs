using System.CommandLine;
using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl stop</c>.</summary>
internal static class StopCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var command = new Command("stop", "Unmounts and ends the daemon. Refused while swap or an open file is on the mount.");
        command.SetAction(parse => Run(context(parse)));
        return command;
    }

    private static int Run(CommandContext context)
    {
        if (Swap(context) is { } refusal) return refusal;
        var reply = context.Client.Call(ControlMethod.Stop, ControlReplyJson.Default.StopReply, ControlClient.Long);
        return context.Terminal.Take(reply, out var stop, out var exit)
            ? context.Terminal.Done(stop, CtlJson.Default.StopReply,
                output => output.WriteLine($"tmemd (process {stop.Pid}) is ending"))
            : exit;
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
