using System.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl pool reserve NAME SIZE</c>.</summary>
internal static class PoolReserveCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var name = CommandTree.PoolArgument("The pool.");
        var size = CommandTree.SizeOrNoneArgument("SIZE",
            "Memory it is guaranteed from now on, for example 256M; none (or 0) ends the guarantee.");
        var command = new Command("reserve", "Guarantees a pool memory, whatever other pools store.") { name, size };
        command.SetAction(parse => Run(context(parse),
            new PoolReserveParameters { Name = parse.GetRequiredValue(name), Reserve = parse.GetRequiredValue(size) }));
        return command;
    }

    private static int Run(CommandContext context, PoolReserveParameters parameters)
    {
        var reply = context.Client.Call(ControlMethod.PoolReserve, parameters, ControlJson.Default.PoolReserveParameters,
            ControlReplyJson.Default.PoolReply);
        return context.Terminal.Take(reply, out var pool, out var exit)
            ? context.Terminal.Done(pool, CtlJson.Default.PoolReply, output => output.WriteLine(
                pool.ReserveBytes == 0 ? $"pool {Table.Printable(pool.Name)} has no reserve"
                    : $"pool {Table.Printable(pool.Name)} is guaranteed {Words.Size(pool.ReserveBytes)}"))
            : exit;
    }
}
