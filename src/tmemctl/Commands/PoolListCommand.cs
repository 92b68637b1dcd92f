using System.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl pool list</c>.</summary>
internal static class PoolListCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var command = new Command("list", "Lists the pools.");
        command.SetAction(parse => Run(context(parse)));
        return command;
    }

    private static int Run(CommandContext context)
    {
        var reply = context.Client.Call(ControlMethod.PoolList, ControlReplyJson.Default.PoolListReply);
        return context.Terminal.Take(reply, out var list, out var exit)
            ? context.Terminal.Done(list, CtlJson.Default.PoolListReply, output => Write(output, list.Pools))
            : exit;
    }

    private static void Write(TextWriter output, IReadOnlyList<PoolSummary> pools) =>
        Table.Write(output, ["NAME", "KIND", "PAGES>", "ORIGINAL>", "COMPRESSED>", "RATIO>", "MEMORY>", "LIMIT>", "RESERVE>"],
            pools.Select(pool => (IReadOnlyList<string>)
        [
            pool.Name, pool.Kind, Words.Count(pool.Pages), Words.Size(pool.OriginalBytes), Words.Size(pool.CompressedBytes),
            Words.Ratio(pool.OriginalBytes, pool.CompressedBytes), Words.Size(pool.MemoryBytes), Words.Limit(pool.LimitBytes),
            Words.Limit(pool.ReserveBytes),
        ]));
}
