using System.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl swap on</c>.</summary>
internal static class SwapOnCommand
{
    // Above the priorities that the kernel gives by itself (all negative): compressed memory is filled before any disk.
    private const int DefaultPriority = 100;
    private const int HighestPriority = 32767;

    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var size = CommandTree.SizeOption("--size",
            "Size of the swap device, for example --size 4GiB. Default: what the store holds if no page shrinks.",
            SwapOn.Smallest, ControlProtocol.LargestFile);
        var priority = CommandTree.NumberOption("--priority",
            "Swap priority from 0 to 32767, for example --priority 10; higher is used first.", 0, HighestPriority);
        priority.DefaultValueFactory = _ => DefaultPriority;
        var reserve = CommandTree.SizeOrNoneOption("--reserve",
            "Guarantee the pool that is made for swap this much of the store, so that files never cost swap its room, "
            + "for example --reserve 1GiB. Default: none.");
        var pool = new Option<string>("--pool")
        {
            Description =
                "The persistent pool for the swap file, made if it does not exist, for example --pool swap. One that exists "
                + "must be root's, with mode 700.",
            HelpName = "NAME",
            DefaultValueFactory = _ => "swap",
        };
        pool.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && PoolName.Impossible(result.Tokens[0].Value) is var (problem, remedy))
                result.AddError($"--pool: {problem}; {remedy}");
        });
        var force = new Option<bool>("--force")
        {
            Description = $"Make it of --size even if that is more than {SwapOn.LikelyRatio} times the store's capacity, for "
                + "pages that are known to shrink so well.",
        };
        var command = new Command("on",
            "Makes a swap device on the store and turns it on. If a step fails, those before are undone.")
        {
            size, priority, reserve, pool, force,
        };
        command.SetAction(parse => new SwapOn(context(parse)).Run(
            parse.GetValue(size), parse.GetValue(priority) ?? DefaultPriority, parse.GetRequiredValue(pool),
            parse.GetValue(reserve), parse.GetValue(force)));
        return command;
    }
}
