using System.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl pool create NAME</c>.</summary>
internal static class PoolCreateCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var name = CommandTree.PoolArgument("The new pool: a directory of this name appears in the mount.", isNew: true);
        var ephemeral = new Option<bool>("--ephemeral")
        {
            Description =
                "Pages may vanish when room is needed (reads then fail with ENODATA). Without it the pool is persistent.",
        };
        var limit = CommandTree.SizeOrNoneOption("--limit",
            "Most memory the pool's pages may take, for example --limit 512M. Default: none, the store's capacity is the limit.",
            ControlProtocol.SmallestLimit);
        var reserve = CommandTree.SizeOrNoneOption("--reserve",
            "Memory the pool is guaranteed, for example --reserve 256M: what other pools store leaves it that room, and caches "
            + "make way. Default: none.");
        var refuse = new Option<bool>("--refuse-incompressible")
        {
            Description = "Refuse pages that do not shrink instead of storing them as they are.",
        };
        var command = new Command("create", "Creates a pool.") { name, ephemeral, limit, reserve, refuse };
        command.SetAction(parse => Run(context(parse), new PoolCreateParameters
        {
            Name = parse.GetRequiredValue(name),
            Ephemeral = parse.GetValue(ephemeral),
            Limit = parse.GetValue(limit),
            Reserve = parse.GetValue(reserve),
            RefuseIncompressible = parse.GetValue(refuse),
        }));
        return command;
    }

    private static int Run(CommandContext context, PoolCreateParameters parameters)
    {
        var reply = context.Client.Call(ControlMethod.PoolCreate, parameters, ControlJson.Default.PoolCreateParameters,
            ControlReplyJson.Default.PoolReply);
        return context.Terminal.Take(reply, out var pool, out var exit)
            ? context.Terminal.Done(pool, CtlJson.Default.PoolReply,
                output =>
                    output.WriteLine(
                        $"created {pool.Kind} pool {Table.Printable(pool.Name)}, limit "
                        + $"{Words.Limit(pool.LimitBytes)}{Words.Reserve(pool.ReserveBytes)}"))
            : exit;
    }
}
