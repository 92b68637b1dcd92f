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
    public string? Commit => "abc123";
    public ProcessFigures Processes { get; set; } = new() { WorkerPid = 4712, KeeperPid = 4711, Restarts = 2, Upgrades = 1 };
    public IReadOnlyList<RequestLatencies> Requests { get; set; } = [];
    public UpgradeParameters? Upgraded { get; private set; }
    public string MountPoint => "/mnt/fake";
    public int Connection => 52;
    public string RegionName => "anonymous memory";
    public DateTimeOffset StartedAt { get; } = DateTimeOffset.UtcNow.AddSeconds(-90);
    public int Threads => 4;
    public string? Codec => null;
    public long Capacity { get; private set; }
    public void KeepCapacity(long bytes) => Capacity = bytes;
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

    public bool MayStop(bool discard, out string reason, out long lostBytes)
    {
        lostBytes = discard ? Unwritten : 0;
        reason = Obstacle ?? (Unwritten == lostBytes ? "" : "the disk is full; make room on it, and stop again");
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

    /// <summary>Memory of each pool's pages.</summary>
    public long Taken { get; set; } = 100;
    public TmemStatus RoomAnswers { get; set; } = TmemStatus.Ok;
    public TmemStatus SyncAnswers { get; set; } = TmemStatus.Ok;
    public long Used { get; set; } = 300 << 20;
    public long Freeable { get; set; } = 250 << 20;
    public long Size { get; set; } = 1 << 30;
    public List<string> Orders { get; } = [];
    public Dictionary<uint, ClientOptions> ClientSettings { get; } = new() { [5] = new ClientOptions(3, 1 << 20) };

    public long MaximumCapacity => 4L << 30;

    public long FreeableBytes() => Freeable;

    public TmemStatus Resize(long capacity)
    {
        Orders.Add($"resize {capacity}");
        if (RoomAnswers == TmemStatus.Ok) Size = capacity;
        return RoomAnswers;
    }

    public long Shrink(long bytes)
    {
        Orders.Add($"shrink {bytes}");
        var freed = Math.Min(bytes, Freeable);
        Used -= freed;
        return freed;
    }

    public int Compact()
    {
        Orders.Add("compact");
        return 7;
    }

    public TmemStatus Sync() => SyncAnswers;

    public IReadOnlyList<ClientInfo> Clients() => [.. ClientSettings.Keys.Select(id => Client(new TmemClientId(id)))];

    public ClientInfo Client(TmemClientId id) => new(
        id, ClientSettings.GetValueOrDefault(id.Value, new ClientOptions()), false, 2, 10, 5 << 20, 1 << 20, 1 << 20);

    public TmemStatus Configure(TmemClientId id, in ClientOptions options)
    {
        if (RoomAnswers == TmemStatus.Ok) ClientSettings[id.Value] = options;
        return RoomAnswers;
    }

    public Errno CreatePool(
        string name, in PoolOptions options, uint mode, out PoolId id, bool forSwap = false, PoolOwner owner = default)
    {
        id = default;
        if (CreateAnswers != Errno.Ok) return CreateAnswers;
        lock (_gate)
        {
            if (_pools.ContainsKey(name)) return Errno.EEXIST;
            id = new PoolId(_next++);
            _pools.Add(name, new NamedPool(name, id, options, forSwap, owner, mode));
            return Errno.Ok;
        }
    }

    public Errno ChangePool(string name, in PoolChange change)
    {
        if (CreateAnswers != Errno.Ok) return CreateAnswers;
        lock (_gate)
        {
            if (!_pools.TryGetValue(name, out var pool)) return Errno.ENOENT;
            _pools[name] = pool with
            {
                Options = pool.Options with
                {
                    ReserveBytes = change.Reserve ?? pool.Options.ReserveBytes, Codec = change.Codec ?? pool.Options.Codec,
                    LimitBytes = change.Limit ?? pool.Options.LimitBytes,
                },
                Owner = new PoolOwner(change.Owner ?? pool.Owner.User, change.Group ?? pool.Owner.Group),
                Mode = change.Mode ?? pool.Mode,
            };
            return Errno.Ok;
        }
    }

    public Errno EmptyPool(string name, out long pages)
    {
        pages = 0;
        lock (_gate)
        {
            if (Busy.Contains(name)) return Errno.EBUSY;
            if (!_pools.ContainsKey(name)) return Errno.ENOENT;
            pages = Filled.Remove(name) ? 5 : 0;
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

    public RecompressionResult Recompress(PoolId pool)
    {
        Orders.Add($"recompress {pool.Value}");
        return new RecompressionResult(RoomAnswers, 70, 7000, TimeSpan.FromMilliseconds(5));
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
        CapacityBytes = Size,
        UsedBytes = Used,
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
            Pages = 10 * pool.Id.Value, SlotBytes = Taken, IndexBytes = 28, Evictions = 9,
        }))],
    };
}
