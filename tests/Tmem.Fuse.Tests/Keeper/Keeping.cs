using System.Collections.Concurrent;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>A keeper on a <see cref="FakeKernel"/>, and what its tests have in common.</summary>
internal sealed class Keeping : IDisposable
{
    public const string OldProgram = "/usr/sbin/tmemd", NewProgram = "/usr/sbin/tmemd.new";
    private static readonly ConcurrentBag<Handover> s_pages = [];
    private readonly Handover _handover;

    public Keeping(params string[] warnings)
    {
        _handover = s_pages.TryTake(out var page) ? page : Handover.Create();
        _handover.Page = default;
        _handover.SetPaths("/mnt/tmem", "/run/tmem/tmemd.sock", null);
        Page.Current.Program = FakeKernel.Program;
        Page.Current.Threads = 1;
        Handover.SetProgramPath(ref Page.Current, OldProgram);
        Page.Proposed = Page.Current;
        (Page.DeviceCount, Page.Listener) = (1, FakeKernel.Listener);
        unsafe { Page.Devices[0] = FakeKernel.Device; }
        Keeper = new Keeper<FakeSystem>(_handover, new MemoryAdvice(""), Kernel.System, warnings);
        _ = Kernel.Take();
    }

    public FakeKernel Kernel { get; } = new();

    public Keeper<FakeSystem> Keeper { get; }

    public ref HandoverPage Page => ref _handover.Page;

    public unsafe int Device(int at) => Page.Devices[at];

    public string UpgradeProblem => _handover.UpgradeProblem;

    /// <summary>The last process that was started.</summary>
    public FakeProcess Last => Kernel.Processes[^1];

    public List<string> Log => Kernel.Log;

    public void Dispose() => s_pages.Add(_handover);

    /// <summary>The keeper's actions in its next turn.</summary>
    public string[] Turn()
    {
        _ = Kernel.Take();
        Keeper.Turn();
        return Kernel.Take();
    }

    /// <summary>The same, after a signal came.</summary>
    public string[] Signal(int signal)
    {
        Kernel.Signals.Enqueue(signal);
        return Turn();
    }

    /// <summary>Lets one worker serve, and another stand by.</summary>
    public (FakeProcess Worker, FakeProcess Standby) Serve()
    {
        Turn();
        var worker = Last;
        Page.RegionReady = 1;
        worker.Say(LinkMessage.Serving);
        Turn();
        return (worker, Last);
    }

    /// <summary>Begins an upgrade to another program, open as this descriptor.</summary>
    public (FakeProcess Successor, int Program) Upgrade(FakeProcess worker, int threads = 1)
    {
        var program = Kernel.NextDescriptor();
        var wish = new WorkerSettings { Program = program, Threads = threads };
        Handover.SetProgramPath(ref wish, NewProgram);
        worker.Wish(wish);
        Turn();
        return (Last, program);
    }
}
