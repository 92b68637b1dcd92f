using System.CommandLine;
using Tmem.Ctl.Output;
using Tmem.Fuse.Control.Messages;

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
        var reply = context.Client.Call(ControlMethod.Stop, ControlReplyJson.Default.StopReply, ControlClient.Long);
        return context.Terminal.Take(reply, out var stop, out var exit)
            ? context.Terminal.Done(stop, CtlJson.Default.StopReply, output => output.WriteLine($"tmemd (process {stop.Pid}) is ending"))
            : exit;
    }
}
