using System.CommandLine;
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
            "Size of the swap device, for example --size 4GiB. Default: what the store holds if no page shrinks.");
        var priority = new Option<int>("--priority")
        {
            Description = "Swap priority from 0 to 32767, for example --priority 10; higher is used first.",
            HelpName = "N",
            DefaultValueFactory = _ => DefaultPriority,
        };
        priority.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var given)
                && given is < 0 or > HighestPriority)
                result.AddError($"--priority: {given} is not between 0 and {HighestPriority}");
        });
        var reserve = CommandTree.SizeOption("--reserve",
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
        var command = new Command("on",
            "Makes a swap device on the store and turns it on. If a step fails, those before are undone.")
        {
            size, priority, reserve, pool,
        };
        command.SetAction(parse => new SwapOn(context(parse)).Run(
            parse.GetValue(size), parse.GetValue(priority), parse.GetRequiredValue(pool), parse.GetValue(reserve) ?? 0));
        return command;
    }
}
