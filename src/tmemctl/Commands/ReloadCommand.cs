using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;
using Tmem.Ctl.Output;
using Tmem.Ctl.Reload;
using Tmem.Ctl.Swap;
using Tmem.Settings;

namespace Tmem.Ctl.Commands;

/// <summary>
/// <c>tmemctl reload</c>: brings what runs to what is written, as far as that is possible in use. After a start, it is what makes
/// the pools and turns swap on: one way for both.
/// </summary>
internal static class ReloadCommand
{
    public static Verb Create()
    {
        var dryRun = Takes.Flag("--dry-run", "Say what would be done, and do nothing.");
        var config = ConfigVerbs.Config("Default: what the daemon was started with.");
        return new("reload",
            "Reads the settings again and applies what can be applied while the store is in use: its capacity; threads, spin, "
            + "codec and log by a new worker; pools that are missing, and limits, codecs, reserves, owners and modes of others; "
            + "swap. A line for each change, and for each setting that needs more. If anything in the files is wrong, nothing is "
            + "applied.",
            (context, parse) => Run(context, parse.GetValue(config), parse.GetValue(dryRun)), dryRun, config);
    }

    private static int Run(CommandContext context, string? place, bool dryRun)
    {
        var terminal = context.Terminal;
        if (!terminal.Take(context.Client.Status(), out var status, out var exit)) return exit;
        if (DaemonCommandLine.Of(status) is null)
            return terminal.Fail(ExitCode.Failed, "the daemon's command line cannot be seen from here",
                "run this as root, in the process namespace of tmemd");
        var meant = DaemonCommandLine.Meant(status, place);
        if (meant.ReadsNoFile)
            return ConfigVerbs.NoFile(terminal, "name a file with --config, or start it without --mount or --capacity");
        var read = meant.Read();
        if (read.Settings is not { } settings) return terminal.Fail(read.Faults);
        if (!terminal.Take(context.Client.Pools(), out var pools, out exit)) return exit;

        List<Change> changes =
        [
            .. StorePlan.Of(settings.Store, status, MountTable.At(status.MountPoint, MountTable.Read()),
                wish => Upgrade(context, wish), capacity => Obstacle.Of(context.Client.Resize(capacity)),
                flags => Remount(status.MountPoint, flags)),
            .. new PoolPlan(context.Client, context.System, status).Of(settings.Pools, pools.Pools),
            .. SwapPlan.Of(settings.Swaps, SwapFile.Devices(context.System, SwapFile.PlaceOf(status), pools.Pools),
                swap => TurnOn(context, swap), context.Swap),
        ];
        if (Refused(changes) is { Count: > 0 } refused) return terminal.Fail(refused);
        return Apply(terminal, [.. changes.OrderBy(change => change.Turn)], read.Files, dryRun);
    }

    /// <summary>What can never be, as faults.</summary>
    private static List<Fault> Refused(List<Change> changes) => [.. changes.Where(change => change.Outcome == Outcome.Refuse)
        .Select(change => new Fault(change.From, change.What, change.Note, change.Remedy))];

    private static int Apply(Terminal terminal, List<Change> changes, IReadOnlyList<string> files, bool dryRun)
    {
        Dictionary<Func<Obstacle?>, Obstacle?> done = [];
        List<ReloadLine> lines = [];
        Obstacle? obstacle = null;
        foreach (var change in changes)
        {
            if (change.Do is { } apply && !dryRun && !done.TryGetValue(apply, out obstacle)) done[apply] = obstacle = apply();
            var state = change.Outcome == Outcome.Later ? "needs more"
                : dryRun ? "would be applied"
                : obstacle is null ? "applied" : obstacle.Exit == ExitCode.Unknown ? "unknown" : "failed";
            lines.Add(new(state, change.What, change.From.ToString(), obstacle?.Why ?? change.Note));
            if (obstacle is not null) break;
        }
        if (obstacle is not null && !terminal.Json)
        {
            foreach (var line in lines.SkipLast(1)) terminal.Note(Text(line));
            var failed = lines[^1];
            var left = changes.Skip(lines.Count).Count(change => change.Outcome == Outcome.Apply);
            return terminal.Fail(obstacle.Exit, $"{failed.What} ({failed.From}): {failed.Note}", obstacle.Remedy
                + (left > 0 ? $": {Counted.Of(left, "change")} after it {(left == 1 ? "was" : "were")} not begun" : ""));
        }
        terminal.Done(new ReloadReport(files, lines), output =>
        {
            foreach (var line in lines) output.WriteLine(Table.Printable(Text(line)));
            if (lines.Count == 0) output.WriteLine("nothing to do: what runs is what is written");
        });
        return obstacle?.Exit ?? ExitCode.Done;
    }

    private static string Text(ReloadLine line) =>
        $"{line.State}: {line.What} ({line.From}){(line.Note.Length == 0 ? "" : ": " + line.Note)}";

    /// <summary>Both report why they failed themselves; a line here says which change it was.</summary>
    private static Obstacle? Upgrade(CommandContext context, UpgradeParameters wish) =>
        UpgradeCommand.TryRun(context, wish, out _, out _, out var exit) ? null
            : Obstacle.Of(exit, exit == ExitCode.Failed ? "the worker serves on as it was" : "it may have been done");

    private static Obstacle? Remount(string mount, uint flags) => Machine.Remount(mount, flags) switch
    {
        Errno.Ok => null,
        Errno.EBUSY => new("a file on it is open for writing"),
        var error => Obstacle.Of(error.Problem()),
    };

    private static Obstacle? TurnOn(CommandContext context, SwapSettings swap) =>
        Obstacle.Of(new SwapOn(context.Swap with { Terminal = context.Terminal.WithoutResults() })
            .Run(swap.Size.Value is { } size ? SwapOn.Exactly(size) : null, swap.Priority.Value, swap.Pool.Value, reserve: 0,
                force: false), "swap was not turned on");
}
