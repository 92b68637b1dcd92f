using System.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl adopt</c>.</summary>
internal static class AdoptCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var command = new Command("adopt",
            "Has a worker whose keeper died start another keeper. It does so by itself too; this does not wait for it.");
        command.SetAction(parse => Run(context(parse)));
        return command;
    }

    private static int Run(CommandContext context)
    {
        var reply = context.Client.Call(ControlMethod.Adopt, ControlReplyJson.Default.AdoptReply);
        return context.Terminal.Take(reply, out var adopt, out var exit)
            ? context.Terminal.Done(adopt, CtlJson.Default.AdoptReply,
                output => output.WriteLine($"keeper {adopt.KeeperPid} watches"))
            : exit;
    }
}
