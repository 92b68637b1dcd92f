using System.CommandLine;
using Tmem.Control.Messages;
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
        var force = Takes.Flag("--force",
            "Try it even if memory for what is swapped is missing: the kernel may kill processes to make room.");
        return new("off",
            "Turns swap off and undoes what 'swap on' made: swapped pages return to memory, the store's memory is freed.",
            (context, parse) => new SwapOff(context.Swap).Run(parse.GetValue(force)), force);
    }

    public static Verb On()
    {
        var size = Takes.Size("--size",
            "Size of the swap device, for example --size 4GiB. Default: what the store holds if no page shrinks.",
            SwapOn.Smallest, ControlProtocol.LargestFile);
        var priority = Takes.Number("--priority",
            "Swap priority from 0 to 32767, for example --priority 10; higher is used first.", 0, HighestPriority);
        priority.DefaultValueFactory = _ => DefaultPriority;
        var reserve = Takes.SizeOrNoneOption("--reserve",
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
            if (result.Tokens is [{ Value: var name }]
                && (PoolName.Impossible(name) ?? PoolName.Unshowable(name)) is var (problem, remedy))
                result.AddError($"--pool: {problem}; {remedy}");
        });
        var force = Takes.Flag("--force", $"Make it of --size even if that is more than {SwapOn.LikelyRatio} times the store's "
            + "capacity, for pages that are known to shrink so well.");
        return new("on", "Makes a swap device on the store and turns it on. If a step fails, those before are undone.",
            (context, parse) => new SwapOn(context.Swap).Run(parse.GetValue(size), parse.GetValue(priority) ?? DefaultPriority,
                parse.GetRequiredValue(pool), parse.GetValue(reserve), parse.GetValue(force)),
            size, priority, reserve, pool, force);
    }
}
