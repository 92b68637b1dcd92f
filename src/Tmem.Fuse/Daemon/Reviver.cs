using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Fuse.Control;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// A daemon that a supervisor starts again after all processes of the one before it have died, keeper and worker: it becomes the
/// keeper of what the supervisor has held meanwhile (<see cref="Stored"/>). Clients have waited, and nothing is lost.
/// </summary>
internal static unsafe class Reviver
{
    /// <summary>
    /// Set when the program of the daemon before is executed, because it alone knows the page: it must not do the same again.
    /// </summary>
    private const string Marker = "TMEMD_REVIVED_BY";

    /// <summary>How long the end of a killed process may take; a large store takes a second to be unmapped.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Whether there is something to go on with; if so, the daemon's whole life. What a supervisor holds of a daemon that has
    /// ended in order is closed.
    /// </summary>
    /// <param name="exit">The exit code: see <see cref="KeeperRun.Run"/>.</param>
    public static bool TryRun(out int exit)
    {
        var names = InheritedDescriptors.Names();
        var page = InheritedDescriptors.Find(names, Stored.NameOf(Stored.Page));
        var goesOn = page >= 0;
        exit = !goesOn ? 0 : KeeperRun.Run(run =>
        {
            var handover = Handover.Look(page);
            goesOn = !handover.IsOver;
            return goesOn ? Run(run, names, handover) : 0;
        });
        if (!goesOn) InheritedDescriptors.CloseOthers(names, _ => false);
        return goesOn;
    }

    private static int Run(KeeperRun run, string[] names, Handover handover)
    {
        int Find(int place) => InheritedDescriptors.Find(names, Stored.NameOf(place));
        if (!handover.IsKnown) ExecuteOlder(Find(Stored.Program));
        InheritedDescriptors.PassOn(false);
        TakeCharge(handover, Find);
        ref var shared = ref handover.Page;
        Log.Level = (LogLevel)shared.Current.LogLevel;
        if (handover.SocketGroup is { } readers) ProcessRights.Join(readers);
        LogPipe.Resume(handover);
        run.CarryLog(handover);
        Log.Warning($"all processes of the daemon are dead, keeper {shared.KeeperProcess} and worker {shared.WorkerProcess} "
            + $"among them; going on with what the supervisor has kept of {handover.MountPoint}");
        Begin(handover, names);
        run.Warn(ProcessPriority.AvoidOutOfMemoryKiller());
        var group = run.Secure();
        ProcessRights.EndStart();
        return run.Keep(handover, group, Link.None);
    }

    /// <summary>The page says what was when the daemon died: now there is no process.</summary>
    private static void Begin(Handover handover, string[] names)
    {
        ref var page = ref handover.Page;
        // A request in hand is carried out again. Nobody knows what its worker died of: of the same as all others, most likely.
        foreach (var process in (ReadOnlySpan<int>)[page.ServingProcess, page.WorkerProcess])
        {
            if (process == 0 || handover.WasFault(process) is not null) continue;
            var death = new WorkerDeath
            {
                Process = process, Number = -1, HadServed = process == page.ServingProcess ? 1 : 0,
                UnixMilliseconds = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
            };
            handover.NoteDeath(in death);
        }
        (page.WorkerProcess, page.StandbyProcess, page.ServesSince) = (0, 0, 0);
        (page.NotifyingThread, page.ForgettingThread) = (0, 0);
        page.Restarts++;
        page.Revivals++;
        if (!ProgramFile.CanRun(page.Current.Program)) ProgramFile.UseOwn(ref page.Current);
        // An upgrade under way is lost.
        page.Proposed = page.Current;
        if (page.Listener < 0)
            (page.Listener, handover.SocketFile) = ControlSocket.Listen(handover.SocketPath, handover.SocketGroup);
        var kept = Enumerable.Range(0, Stored.FirstDevice + page.DeviceCount).Select(Stored.NameOf).ToHashSet();
        InheritedDescriptors.CloseOthers(names, name => kept.Contains(name));
    }

    /// <summary>
    /// Another program's version of the page: the program that the daemon before kept for its next worker knows it. Returns only
    /// by an exception.
    /// </summary>
    private static void ExecuteOlder(int program)
    {
        if (program < 0 || Environment.GetEnvironmentVariable(Marker) is not null)
        {
            var recover = new ControlCommand(DaemonOptions.DefaultSocketPath).Line("recover");
            throw new StartupException("The daemon before was of another version, and its program was not kept: its mount cannot "
                + $"be served any more. Run '{recover}', then start tmemd again.");
        }
        _ = Libc.setenv(Marker, Environment.ProcessPath ?? "tmemd", 1);
        ProcessPriority.Execute($"/proc/self/fd/{program}");
        throw new StartupException($"The program of the daemon before cannot be executed: {Libc.Describe(Libc.LastError)}.");
    }

    /// <summary>
    /// Waits for the end of the processes that the page names: until then they may have requests in hand, and the page is theirs.
    /// A keeper that a worker has just started may come forward meanwhile.
    /// </summary>
    private static void TakeCharge(Handover handover, Func<int, int> find)
    {
        _ = TryIdentify($"/proc/self/fd/{handover.Descriptor}", out var file);
        do
        {
            AwaitDead(handover, file);
            handover.Check(find);
        }
        while (!handover.TryRevive(find, process => Has(process, file)));
    }

    private static void AwaitDead(Handover handover, FileIdentity file)
    {
        foreach (var process in Tenure.Named(ref handover.Page))
        {
            for (var until = Environment.TickCount64 + (long)s_patience.TotalMilliseconds; Has(process, file); Thread.Sleep(5))
            {
                if (Environment.TickCount64 > until)
                    throw new StartupException($"Process {process} of the daemon before is still there. If it serves "
                        + $"('{handover.Tmemctl.Line("status")}'), it starts a keeper by itself; else kill it, and start tmemd "
                        + "again.");
            }
        }
    }

    private static bool Has(int process, FileIdentity page)
    {
        // The number may be another process's by now, this one's above all.
        if (process == 0 || process == Environment.ProcessId) return false;
        try
        {
            return ProcessDescriptors.Of($"/proc/{process}").Any(link => TryIdentify(link, out var file) && file == page);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static bool TryIdentify(string link, out FileIdentity file)
    {
        const int here = -100; // AT_FDCWD
        var flags = FileStatus.WithoutAsking | FileStatus.NoAutomount;
        var isThere = FileStatus.Of(here, link, flags, FileStatus.Basic, out var status) == 0;
        file = status.Identity;
        return isThere;
    }
}
