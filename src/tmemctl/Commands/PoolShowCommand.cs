using System.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl pool show NAME</c>.</summary>
internal static class PoolShowCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var name = CommandTree.PoolArgument("The pool.");
        var command = new Command("show", "Shows everything counted for a pool.") { name };
        command.SetAction(parse => Run(context(parse), parse.GetRequiredValue(name)));
        return command;
    }

    private static int Run(CommandContext context, string name)
    {
        var reply = context.Client.Call(ControlMethod.PoolShow, new PoolNameParameters { Name = name },
            ControlJson.Default.PoolNameParameters, ControlReplyJson.Default.PoolReply);
        return context.Terminal.Take(reply, out var pool, out var exit)
            ? context.Terminal.Done(pool, CtlJson.Default.PoolReply, output => Write(output, pool))
            : exit;
    }

    private static void Write(TextWriter output, PoolReply pool) => Table.WritePairs(output,
    [
        ("pool", pool.Name),
        ("kind", pool.Kind),
        ("page size", Words.Size(pool.PageSize)),
        ("limit", Words.Limit(pool.LimitBytes)),
        ("reserve", Words.Limit(pool.ReserveBytes)),
        ("incompressible", pool.RefuseIncompressible ? "refused" : "stored raw"),
        .. FigureTable.Rows(pool.Figures),
    ]);
}
