using System.CommandLine;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;
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
        // The daemon looks too, but must not ask its own mount which file a device stands on: this process may.
        if (!context.Terminal.Take(context.Client.Call(ControlMethod.Status, ControlReplyJson.Default.StatusReply), out var status, out var exit)) return exit;
        if (!SwapFile.TryFind(context, status, out var files, out exit)) return exit;
        var on = files.Where(file => file.Entry is not null).ToList();
        if (on.Count > 0)
        {
            return context.Terminal.Fail(ExitCode.Failed, $"tmemd goes on: swap is still on {status.MountPoint}: {string.Join(", ", on.Select(file => $"{file.Device} (file {file.Path})"))}",
                on.All(file => file.IsOurs) ? "turn it off with 'tmemctl swap off', and stop again" : "turn it off with 'swapoff DEVICE', and stop again", ControlErrorCode.StopRefused);
        }
        var reply = context.Client.Call(ControlMethod.Stop, ControlReplyJson.Default.StopReply, ControlClient.Long);
        return context.Terminal.Take(reply, out var stop, out exit)
            ? context.Terminal.Done(stop, CtlJson.Default.StopReply, output => output.WriteLine($"tmemd (process {stop.Pid}) is ending"))
            : exit;
    }
}
