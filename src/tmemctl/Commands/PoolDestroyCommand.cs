using System.CommandLine;
using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl pool destroy NAME</c>.</summary>
internal static class PoolDestroyCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var name = CommandTree.PoolArgument("The pool.");
        var force = new Option<bool>("--force") { Description = "Destroy it although it holds files." };
        var command = new Command("destroy",
            "Destroys a pool and every page in it. Of files that the kernel still remembers, a record each stays in the store "
            + "until it forgets them.") { name, force };
        command.SetAction(parse => Run(context(parse),
            new PoolDestroyParameters { Name = parse.GetRequiredValue(name), Force = parse.GetValue(force) }));
        return command;
    }

    private static int Run(CommandContext context, PoolDestroyParameters parameters)
    {
        var reply = context.Client.Call(ControlMethod.PoolDestroy, parameters, ControlJson.Default.PoolDestroyParameters,
            ControlReplyJson.Default.PoolDestroyReply, ControlClient.Long);
        return context.Terminal.Take(reply, out var gone, out var exit)
            ? context.Terminal.Done(gone, CtlJson.Default.PoolDestroyReply,
                output => output.WriteLine($"destroyed pool {Table.Printable(gone.Name)}, {gone.PagesFreed} pages"))
            : exit;
    }
}
