using Tmem.Fuse.Control;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// The run of a process that becomes a keeper, whatever made it one: <see cref="Founder"/>, <see cref="Reviver"/> and <see
/// cref="Adopter"/> each have a beginning of their own, and the rest in common. It carries the log to its last line, tells why it
/// cannot go on, and takes the socket's name along.
/// </summary>
internal sealed class KeeperRun
{
    /// <summary>How long an end waits for a log that is not read.</summary>
    private static readonly TimeSpan s_logPatience = TimeSpan.FromSeconds(1);

    private readonly List<string> _warnings = [];
    private LogPipe? _log;
    private Handover? _handover;

    private KeeperRun() { }

    /// <summary>Runs to the end.</summary>
    /// <param name="begin">
    /// Gets hold of what is to be kept, and calls <see cref="CarryLog"/>, <see cref="Secure"/> and <see cref="Keep"/>.
    /// </param>
    /// <returns>The exit code: 0 after an orderly end, 1 if it could not start or the connection broke.</returns>
    public static int Run(Func<KeeperRun, int> begin)
    {
        var run = new KeeperRun();
        var exit = 1;
        try
        {
            return exit = begin(run);
        }
        catch (Exception e) when (e is StartupException or ControlException)
        {
            Log.Error(e.Message);
            return 1;
        }
        finally
        {
            run._log?.Finish(s_logPatience);
            if (exit == 0 && run._handover is { } handover) UnwantedLog.Remove(handover);
        }
    }

    /// <summary>From here on this process carries the log.</summary>
    /// <param name="handover">The page that has its pipe.</param>
    /// <param name="starter">See <see cref="LogPipe.Create"/>.</param>
    public void CarryLog(Handover handover, int starter = -1) =>
        (_log, _handover) = (LogPipe.Carry(handover, starter), handover);

    /// <summary>Warns, if there is something to warn of, once a worker serves.</summary>
    public void Warn(string? warning)
    {
        if (warning is not null) _warnings.Add(Log.OneLine(warning));
    }

    /// <summary>Keeps this process's memory out of swap and of others' sight. Before that, its memory group is read.</summary>
    public MemoryGroup Secure()
    {
        ProcessPriority.NameProcess("tmemd\0"u8);
        var group = MemoryGroup.Read();
        ProcessRights.KeepMemoryToSelf();
        Warn(LockedMemory.Lock().Warning);
        return group;
    }

    /// <summary>Keeps what the page lists until nothing is left to keep.</summary>
    /// <param name="handover">The page.</param>
    /// <param name="group">This process's memory group.</param>
    /// <param name="worker">The link to the worker that serves; <see cref="Link.None"/> if none does.</param>
    /// <returns>The exit code.</returns>
    public int Keep(Handover handover, MemoryGroup group, Link worker)
    {
        handover.NoteParts();
        var advice = group.AdviceFor(handover.Page.Current.CapacityBytes);
        var keeper = new Keeper<KeeperSystem>(handover, advice, new KeeperSystem(handover, advice), [.. _warnings]);
        if (worker.IsOpen) keeper.Adopt(worker);
        var exit = keeper.Run();
        ControlSocket.Remove(handover.SocketPath, handover.SocketFile);
        return exit;
    }
}
