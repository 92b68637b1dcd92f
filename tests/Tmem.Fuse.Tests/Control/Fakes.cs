using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Control;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Tests.Control;

internal sealed class FakeDaemon : IDaemon
{
    public string? Obstacle { get; set; }

    /// <summary>Bytes that the region's file lacks and cannot take.</summary>
    public long Unwritten { get; set; }
    public int Stops { get; private set; }
    public string Version => "9.8.7";
    public ProcessFigures Processes { get; set; } = new() { WorkerPid = 4712, KeeperPid = 4711, Restarts = 2, Upgrades = 1 };
    public IReadOnlyList<RequestLatencies> Requests { get; set; } = [];
    public UpgradeParameters? Upgraded { get; private set; }
    public string MountPoint => "/mnt/fake";
    public int Connection => 52;
    public string RegionName => "anonymous memory";
    public DateTimeOffset StartedAt { get; } = DateTimeOffset.UtcNow.AddSeconds(-90);
    public int Threads => 4;
    public string? Codec => null;
    public RunningSettings Settings { get; } = new() { Spin = 100, Log = LogWish.Info, SyncInterval = 5, HugePages = false };

    /// <summary>A stop or an upgrade waits for it before it is decided, as for a disk.</summary>
    public ManualResetEventSlim? Hold { get; set; }
    public CountdownEvent? Begun { get; set; }

    public Dictionary<string, string[]> Holders { get; } = [];

    public IReadOnlyList<string> HoldersOf(string pool) => Holders.GetValueOrDefault(pool) ?? [];

    public bool TryStop(bool discard, Func<bool> wanted, out string reason, out long lostBytes)
    {
        Begun?.Signal();
        Hold?.Wait();
        lostBytes = 0;
        reason = "whoever asked has hung up";
        if (!wanted()) return false;
        if (discard) lostBytes = Unwritten;
        reason = Obstacle ?? (Unwritten == lostBytes ? "" : "the disk is full; make room on it, and stop again");
        if (reason.Length == 0) Stops++;
        return reason.Length == 0;
    }

    public bool TryUpgrade(UpgradeParameters wish, Func<bool> wanted, out string reason)
    {
        Begun?.Signal();
        Hold?.Wait();
        reason = Obstacle ?? "";
        if (Obstacle is null) Upgraded = wish;
        return Obstacle is null;
    }

    public bool TryAdopt(out string reason)
    {
        reason = Obstacle ?? "";
        return Obstacle is null;
    }
}

/// <summary>Pools in a dictionary, each with made-up figures.</summary>
internal sealed class FakeStore : IPoolDirectory, IEngineView
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, NamedPool> _pools = new(StringComparer.Ordinal);
    private uint _next = 1;

    public List<string> EngineProblems { get; } = [];
    public List<string> NameProblems { get; } = [];
    public Errno CreateAnswers { get; set; } = Errno.Ok;
    public Errno DestroyAnswers { get; set; } = Errno.Ok;
    public HashSet<string> Busy { get; } = [];
    public HashSet<string> Filled { get; } = [];
    public ManualResetEventSlim? HoldVerify { get; set; }
    public ManualResetEventSlim VerifyBegun { get; } = new();
    public bool Broken { get; set; }
    public long ExcessReserve { get; set; }
    public bool FileRemoved { get; set; }

    public Errno CreatePool(string name, in PoolOptions options, uint mode, out PoolId id, bool forSwap = false)
    {
        id = default;
        if (CreateAnswers != Errno.Ok) return CreateAnswers;
        lock (_gate)
        {
            if (_pools.ContainsKey(name)) return Errno.EEXIST;
            id = new PoolId(_next++);
            _pools.Add(name, new NamedPool(name, id, options, forSwap));
            return Errno.Ok;
        }
    }

    public Errno ReservePool(string name, long bytes)
    {
        if (CreateAnswers != Errno.Ok) return CreateAnswers;
        lock (_gate)
        {
            if (!_pools.TryGetValue(name, out var pool)) return Errno.ENOENT;
            _pools[name] = pool with { Options = pool.Options with { ReserveBytes = bytes } };
            return Errno.Ok;
        }
    }

    public Errno DestroyPool(string name, bool force)
    {
        if (DestroyAnswers != Errno.Ok) return DestroyAnswers;
        lock (_gate)
        {
            if (Busy.Contains(name)) return Errno.EBUSY;
            if (Filled.Contains(name) && !force) return Errno.ENOTEMPTY;
            return _pools.Remove(name) ? Errno.Ok : Errno.ENOENT;
        }
    }

    public IReadOnlyList<NamedPool> Pools()
    {
        lock (_gate) return [.. _pools.Values];
    }

    string IPoolDirectory.FileOf(in PageHandle page) => "file /p/f";

    IReadOnlyList<string> IPoolDirectory.Verify() => NameProblems;

    VerifierReport IEngineView.Verify()
    {
        VerifyBegun.Set();
        HoldVerify?.Wait();
        return new VerifierReport(100, 10, 2, EngineProblems);
    }

    public EngineStatistics Statistics() => Broken ? throw new InvalidOperationException("the fake is broken")
        : new EngineStatistics
    {
        CapacityBytes = 1 << 30,
        UsedBytes = 300 << 20,
        ReservableBytes = 20 << 20,
        ExcessReserveBytes = ExcessReserve,
        Durability = new DurabilityStatistics { FileRemoved = FileRemoved },
        PeakUsedBytes = 310 << 20,
        PageSpanBytes = 290 << 20,
        ReadySpanBytes = 1 << 20,
        RecordSpanBytes = 2 << 20,
        SlackBytes = 3 << 20,
        SlotsMoved = 44,
        Spans = 77,
        SpansReturned = 5,
        Generation = 3,
        Total = new PoolStatistics { Pages = 1000, OriginalBytes = 4096000, CompressedBytes = 1638400, PutsNoRoom = 6 },
        Pools = [.. Pools().Select(pool => new PoolSnapshot(pool.Id, new TmemClientId(1), pool.Options, 4096, new PoolStatistics
        {
            Pages = 10 * pool.Id.Value, SlotBytes = 100, IndexBytes = 28, Evictions = 9,
        }))],
    };
}
