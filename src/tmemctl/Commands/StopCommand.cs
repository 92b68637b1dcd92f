using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl stop</c>.</summary>
internal static class StopCommand
{
    public static Verb Create()
    {
        var discard = Takes.Flag("--discard",
            "Stop even if the region's file cannot be written or has been removed, and lose what it does not have.");
        var force = Takes.Flag("--force",
            "Stop a store that is memory alone, and lose what its persistent pools hold, without a question.");
        var swapOff = Takes.Flag("--swap-off", "Turn swap on the store off first, as 'swap off --all' does. It stays on if the "
            + "stop would be refused or is not agreed to: that is found out before anything is changed.");
        var noWait = Takes.Flag("--no-wait", "Return when the daemon has unmounted, and not when its processes have ended.");
        return new("stop",
            "Unmounts and ends the daemon, and returns when its processes have ended. Refused while swap or an open file is on "
            + "the mount, or while the region's file cannot be written. A store without a file is lost: what its persistent "
            + "pools hold is named, and has to be agreed to.",
            (context, parse) =>
            {
                var agreed = parse.GetValue(force);
                return parse.GetValue(swapOff) && TurnOff(context, parse.GetValue(discard), ref agreed) is { } refused ? refused
                    : Run(context, parse.GetValue(noWait), parse.GetValue(discard), agreed);
            },
            force, discard, swapOff, noWait);
    }

    /// <summary>Turns swap off if nothing else is in the way of a stop; else the exit code.</summary>
    private static int? TurnOff(CommandContext context, bool discard, ref bool agreed)
    {
        var terminal = context.Terminal;
        if (!terminal.Take(context.Client.Status(), out var status, out var exit)) return exit;
        if (Own(context, status) is { } own) return own;
        // The pools of swap are removed with it, and what is in them is not lost.
        if (Loss(context, status, Pools(context).Where(pool => pool.ForSwap != true), ref agreed) is { } lost) return lost;
        var may = context.Client.CheckStop(discard);
        // An older daemon does not know the question.
        if (may.Error is not { Code: ControlErrorCode.InvalidParameters } && !terminal.Take(may, out _, out exit)) return exit;
        var swap = context.Swap with { Terminal = terminal.Json ? terminal.WithoutResults() : terminal };
        return new SwapOff(swap, pool: null, all: true).Run(force: false) is not ExitCode.Done and var failed ? failed : null;
    }

    private static int Run(CommandContext context, bool noWait, bool discard, bool agreed)
    {
        // A daemon that does not tell is asked to stop all the same, and its answer counts.
        if (context.Client.Status().Value is { } status && Refusal(context, status, agreed) is { } refused) return refused;
        using var processes = noWait ? null : DaemonProcesses.Hold(context.Client);
        if (!context.Terminal.Take(context.Client.Stop(discard), out var stop, out var exit)) return exit;
        var daemon = $"tmemd (process {stop.Pid})";
        var patience = context.Client.Patience ?? ControlClient.Long;
        if (processes?.AwaitEnd(patience) == false)
            return context.Terminal.Fail(ExitCode.Unknown,
                $"{daemon} has unmounted and was still ending after {patience.TotalSeconds:0.#} s",
                "look at its log, and start no other on its region or its socket before the process is gone");
        var lost = stop.LostBytes == 0 ? "" : $"; {Words.Size(stop.LostBytes)} of the store are lost";
        return context.Terminal.Done(new StopReport(stop.Pid, processes is not null, stop.LostBytes), output => output.WriteLine(
            (processes is not null ? $"{daemon} has ended"
                : noWait ? $"{daemon} is ending"
                : $"{daemon} is ending, and was not waited for: its processes cannot be seen from here") + lost));
    }

    /// <summary>The exit code if the daemon need not be asked.</summary>
    private static int? Refusal(CommandContext context, StatusReply status, bool agreed)
    {
        var pools = Pools(context);
        return Swap(context, status, pools) ?? Own(context, status) ?? Loss(context, status, pools, ref agreed);
    }

    private static IReadOnlyList<PoolSummary> Pools(CommandContext context) => context.Client.Pools().Value?.Pools ?? [];

    /// <summary>The exit code if this process keeps the mount busy, and cannot let go.</summary>
    private static int? Own(CommandContext context, StatusReply status) =>
        status.Connection >= 0 && context.Mounts.Leave(status.Connection) is { } own
            ? context.Terminal.Fail(ExitCode.Failed, $"tmemd goes on: {own}", "send it elsewhere, and stop again",
                ControlErrorCode.StopRefused) : null;

    /// <summary>
    /// The exit code if the store is memory alone, its persistent pools hold something, and nobody agrees to lose it.
    /// </summary>
    private static int? Loss(CommandContext context, StatusReply status, IEnumerable<PoolSummary> pools, ref bool agreed)
    {
        if (agreed || ControlProtocol.IsFile(status.Region)) return null;
        var held = pools.Where(pool => pool is { Kind: "persistent", Pages: > 0 }).ToList();
        if (held.Count == 0) return null;
        var loss = $"stopping loses {Counted.Of(held.Sum(pool => pool.Objects), "file")} of {Counted.Of(held.Count, "pool")} "
            + $"({Counted.Names([.. held.Take(MostNamed).Select(pool => pool.Name), .. More(held.Count)])}), "
            + $"{Words.Size(held.Sum(pool => pool.OriginalBytes))}: the store is memory alone";
        var answer = context.Terminal.Ask(loss + ". Stop?");
        agreed = answer == true;
        return answer switch
        {
            true => null,
            false => context.Terminal.Fail(ExitCode.Failed, "tmemd goes on, as you wish", "", ControlErrorCode.StopRefused),
            null => context.Terminal.Fail(ExitCode.Failed, $"tmemd goes on: {loss}",
                $"copy what is needed out of {status.MountPoint}, then stop with '{context.Tmemctl.Line("stop --force")}'",
                ControlErrorCode.StopRefused),
        };
    }

    private const int MostNamed = 3;

    private static string[] More(int pools) => pools <= MostNamed ? [] : [$"{pools - MostNamed} more"];

    /// <summary>
    /// The exit code if swap is on the mount. The daemon checks too, but must not ask its own mount which file a device is on:
    /// this process may. If it finds nothing, the daemon's answer counts.
    /// </summary>
    private static int? Swap(CommandContext context, StatusReply status, IReadOnlyList<PoolSummary> pools)
    {
        var on = SwapFile.Devices(context.System, SwapFile.PlaceOf(status), pools).FindAll(file => file.Entry is not null);
        if (on.Count == 0) return null;
        var devices = string.Join(", ", on.Select(file => $"{file.Device} (file {file.Path})"));
        var off = on.All(file => file.IsOurs) ? context.Tmemctl.Line(on.Count == 1 ? "swap off" : "swap off --all")
            : "swapoff DEVICE";
        return context.Terminal.Fail(ExitCode.Failed, $"tmemd goes on: swap is still on {status.MountPoint}: {devices}",
            $"turn it off with '{off}', and stop again", ControlErrorCode.StopRefused);
    }
}
