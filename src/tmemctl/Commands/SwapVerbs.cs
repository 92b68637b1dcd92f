using System.CommandLine;
using System.CommandLine.Parsing;
using Tmem.Control.Messages;
using Tmem.Ctl.Reload;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl swap ...</c>: the options of each command; <see cref="Ctl.Swap"/> carries it out.</summary>
internal static class SwapVerbs
{
    // Above the priorities that the kernel assigns itself (all negative): compressed memory is filled before any disk.
    private const int DefaultPriority = 100;
    private const int HighestPriority = 32767;

    public static Verb Status => new("status", "Shows the swap devices that stand on the store.",
        (context, _) => new SwapStatus(context.Swap).Run());

    public static Verb Off()
    {
        var name = Takes.PoolIfNamed("The device, by its pool. Default: the one that is on.");
        var all = Takes.Flag("--all", "Every device, and what is left of earlier ones.");
        all.Validators.Add(result =>
        {
            if (!result.Implicit && result.Parent is CommandResult command && command.GetResult(name) is { Tokens.Count: > 0 })
                result.AddError("--all and NAME: give one of them");
        });
        var force = Takes.Flag("--force",
            "Try it even if memory for what is swapped is missing: the kernel may kill processes to make room.");
        return new("off",
            "Turns swap off and undoes what 'swap on' made: swapped pages return to memory, the store's memory is freed.",
            (context, parse) => new SwapOff(context.Swap, parse.GetValue(name), parse.GetValue(all)).Run(parse.GetValue(force)),
            name, all, force);
    }

    public static Verb On()
    {
        var name = Takes.PoolIfNamed("The device: the persistent pool for its file, made if it does not exist. One that exists "
            + $"must be root's, with mode 700. Default: {SwapFile.DefaultPool}.", isNew: true);
        var size = Takes.SizeExpression("--size",
            "Size of the swap device, for example --size 4GiB; 200% is twice the store's capacity, and expressions as in the "
            + "settings can be given, as 'min(200%, ram)'. Default: what the store holds if no page shrinks.",
            SwapOn.Smallest, ControlProtocol.LargestFile);
        var priority = Takes.Number("--priority",
            "Swap priority from 0 to 32767, for example --priority 10; higher is used first. A large device has up to eight "
            + "parts: the first takes it, each after it one less.", 0, HighestPriority);
        priority.DefaultValueFactory = _ => DefaultPriority;
        var reserve = Takes.SizeOrNoneOption("--reserve",
            "Guarantee the pool that is made for swap this much of the store, so that files never cost swap its room, "
            + "for example --reserve 1GiB. Default: none.");
        var pool = new Option<string?>("--pool")
        {
            Description = "The same as NAME, for example --pool fast.", HelpName = "NAME",
        };
        pool.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var given }]
                && (PoolName.Impossible(given) ?? PoolName.Unshowable(given)) is var (problem, remedy))
                result.AddError($"--pool: {problem}; {remedy}");
            if (result.Parent is CommandResult command && command.GetResult(name) is { Tokens.Count: > 0 })
                result.AddError("--pool and NAME: give one of them");
        });
        var force = Takes.Flag("--force", $"Make it of --size even if that is more than {SwapOn.LikelyRatio} times the store's "
            + "capacity, for pages that are known to shrink so well.");
        return new("on", "Makes a swap device on the store and turns it on. If a step fails, those before are undone.",
            (context, parse) => new SwapOn(context.Swap).Run(parse.GetValue(size),
                parse.GetValue(priority) ?? DefaultPriority,
                parse.GetValue(name) ?? parse.GetValue(pool) ?? SwapFile.DefaultPool, parse.GetValue(reserve),
                parse.GetValue(force)),
            name, size, priority, reserve, pool, force);
    }
}
