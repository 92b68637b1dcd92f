using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The worker's end of its link to the keeper: carries out the keeper's messages, and replaces a keeper that died. Without a
/// keeper nothing is lost, but the death of the worker then loses everything.
/// </summary>
internal sealed class KeeperPeer
{
    private const int StackSize = 256 << 10;
    private const int LongestDelay = 60_000;
    private const int AdoptPatience = 15_000;
    private static readonly TimeSpan s_glance = TimeSpan.FromSeconds(1);

    private readonly Handover _handover;
    private readonly Launcher _launcher;
    private readonly Action _retire;
    private readonly int _devices;
    private readonly object _monitor = new();
    private bool _watched = true;
    private bool _adoptNow;
    private TaskCompletionSource<string?>? _upgrade;
    private LogPipe? _log;
    private bool _retires;
    private string _wished = "";
    private Link _line;
    private int _child;
    private int _failures;

    /// <param name="handover">The shared page.</param>
    /// <param name="line">The worker's end.</param>
    /// <param name="retire">Called to finish the requests in hand and end.</param>
    public KeeperPeer(Handover handover, Link line, Action retire)
    {
        _handover = handover;
        _launcher = new Launcher(handover);
        _line = line;
        _retire = retire;
        _devices = handover.Page.DeviceCount;
    }

    /// <summary>Whether a keeper would start another worker.</summary>
    public bool IsWatched
    {
        get { lock (_monitor) return _watched; }
    }

    /// <summary>Reports that the mount is served, and starts to listen.</summary>
    public void Start()
    {
        new Thread(Listen, StackSize) { IsBackground = true, Name = "keeper" }.Start();
        _line.Send(LinkMessage.Serving);
    }

    /// <summary>
    /// Asks for a successor with other settings or of another program; waits until it is ready or has failed. One at a time.
    /// </summary>
    /// <param name="settings">The successor's settings.</param>
    /// <param name="program">The descriptor of its program; -1 for the current one.</param>
    /// <param name="wanted">
    /// Whether the caller still waits. If so, a suspended keeper is waited for: reporting a failure would be untrue once it
    /// resumes. A running keeper answers within half a minute, and the link shows a keeper's death.
    /// </param>
    /// <returns>Null when this worker is about to retire, else why it failed.</returns>
    public string? TryUpgrade(in WorkerSettings settings, int program, Func<bool> wanted)
    {
        TaskCompletionSource<string?> done;
        lock (_monitor)
        {
            if (!_watched) return $"no keeper is there to start a new worker; run '{_handover.Tmemctl.Line("adopt")}' first";
            if (_retires) return "this worker has just given way to another one; wait a moment";
            if (_upgrade is { Task.IsCompleted: false })
                return $"an upgrade to {_wished} is under way already; wait until that is done";
            _upgrade = done = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
            _wished = Handover.ProgramPathOf(in settings);
            _handover.UpgradeProblem = "";
            _line.SendUpgrade(in settings, program);
        }
        while (!done.Task.Wait(s_glance))
            if (!wanted()) return "whoever asked has hung up before the keeper answered";
        return done.Task.Result;
    }

    /// <summary>Passes a new control socket to the keeper, and thereby to later workers.</summary>
    public void HandOn(int listener)
    {
        lock (_monitor) _line.Send(LinkMessage.Listener, listener);
    }

    /// <summary>Starts a keeper if there is none.</summary>
    /// <returns>Null when one watches, else why none does.</returns>
    public string? TryAdopt()
    {
        lock (_monitor)
        {
            _adoptNow = !_watched;
            Monitor.PulseAll(_monitor);
            for (var until = Environment.TickCount64 + AdoptPatience; !_watched && Environment.TickCount64 < until;)
                _ = Monitor.Wait(_monitor, AdoptPatience);
            return _watched ? null : "the new keeper did not get ready; look at the daemon's log";
        }
    }

    private void Listen()
    {
        while (true)
        {
            switch (_line.Receive())
            {
                case LinkMessage.Watching:
                    SetWatched(true);
                    // The new keeper now carries the log.
                    _log?.Finish(TimeSpan.Zero);
                    _log = null;
                    break;
                case LinkMessage.UpgradeFailed:
                    FinishUpgrade(_handover.UpgradeProblem);
                    break;
                case LinkMessage.Retire:
                    lock (_monitor) _retires = true;
                    FinishUpgrade(null);
                    _retire();
                    return;
                case LinkMessage.Closed:
                    ReplaceKeeper();
                    break;
            }
        }
    }

    private void FinishUpgrade(string? problem)
    {
        lock (_monitor) _upgrade?.TrySetResult(problem);
    }

    private void SetWatched(bool watched)
    {
        lock (_monitor)
        {
            _watched = watched;
            Monitor.PulseAll(_monitor);
        }
    }

    /// <summary>No pause at first, then a second, doubling up to a minute; or until a keeper is asked for.</summary>
    private void Pause()
    {
        if (_failures == 0) return;
        lock (_monitor)
        {
            for (var until = Environment.TickCount64 + Math.Min(LongestDelay, 1000 << Math.Min(_failures - 1, 6)); !_adoptNow;)
            {
                var left = until - Environment.TickCount64;
                if (left <= 0 || !Monitor.Wait(_monitor, (int)left)) break;
            }
            _adoptNow = false;
        }
    }

    private unsafe void ReplaceKeeper()
    {
        lock (_monitor)
        {
            _line.Close();
            _line = Link.None;
        }
        if (_child != 0) _ = NativeProcess.waitpid(_child, null, 0);
        if (IsWatched)
        {
            _failures = 0;
            Log.Warning($"keeper {_handover.Page.KeeperProcess} is dead; serving on unprotected, and starting another");
        }
        else if (_failures++ < 3) Log.Error("the new keeper did not get ready; serving on unprotected, and trying again");
        SetWatched(false);
        _log ??= LogPipe.Carry(_handover);
        FinishUpgrade("the keeper died; what it began is undone");
        Pause();
        // An upgrade that the keeper had begun died with it; this process has the settings it was started with.
        ref var page = ref _handover.Page;
        page.Proposed = page.Current;
        page.DeviceCount = _devices;
        _child = 0;
        if (Link.TryCreate(out _line, out var theirs) is not Errno.Ok and var none)
        {
            Log.Error($"no keeper can be started: {Libc.Describe(none)}");
            return;
        }
        var error = _launcher.Start(Role.Adopter, page.Current.Program, theirs, out _child);
        theirs.Close();
        // With no peer at the other end, the next read reports it.
        if (error != Errno.Ok) Log.Error($"no keeper can be started: {Libc.Describe(error)}");
    }
}
