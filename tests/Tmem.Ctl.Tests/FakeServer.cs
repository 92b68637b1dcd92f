using System.Net.Sockets;
using System.Text.Json;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Tests;

/// <summary>
/// A daemon of a few lines: keeps pools in a dictionary, answers with the message types, and notes what it was asked.
/// </summary>
internal sealed class FakeServer : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Thread _thread;
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-ctl-").FullName;

    public FakeServer()
    {
        Mount = Path.Combine(_folder, "mnt");
        Directory.CreateDirectory(Mount);
        _listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        _listener.Listen(8);
        _thread = new Thread(Serve) { IsBackground = true };
        _thread.Start();
    }

    public string SocketPath => Path.Combine(_folder, "sock");
    public string Mount { get; }
    public SortedDictionary<string, string> Pools { get; } = [];
    public List<string> Calls { get; } = [];
    public List<string> Problems { get; } = [];
    public long UsedBytes { get; set; } = 256 << 20;
    /// <summary>What the last pool that was made, or that a reserve was set of, is guaranteed.</summary>
    public long Reserved { get; private set; }
    /// <summary>The minor number of the mount's device.</summary>
    public int Connection { get; set; } = 52;
    public ReserveExcess? Excess { get; set; }
    /// <summary>The reserve of every existing pool.</summary>
    public long Guaranteed { get; set; }
    public IReadOnlyList<RequestLatencies> Requests { get; set; } = [new("read", 5_000, [1, 1, 0])];
    /// <summary>Whether metrics has each pool twice under its name.</summary>
    public bool Twins { get; set; }
    public RpcError? StopError { get; set; }
    /// <summary>What a stop loses if it is told that it may.</summary>
    public long Lost { get; set; }
    public DurabilityFigures Durability { get; set; } = new();
    public RpcError? UpgradeError { get; set; }
    /// <summary>What status reports after an upgrade.</summary>
    public ProcessFigures Processes { get; set; } = new() { WorkerPid = 4712, KeeperPid = 4711, Restarts = 2, Upgrades = 1 };
    /// <summary>What the last upgrade was asked for.</summary>
    public UpgradeParameters? Upgraded { get; private set; }
    /// <summary>The pools that were asked for.</summary>
    public List<PoolCreateParameters> Created { get; } = [];
    public RunningSettings Settings { get; } =
        new()
        {
            Spin = ControlProtocol.UsualSpin, Log = LogWish.Info, SyncInterval = 5, HugePages = false, Recompress = 0,
            RecompressLevel = 6,
        };
    /// <summary>What the last pool.set was asked for.</summary>
    public PoolSetParameters? Set { get; private set; }
    public string Region { get; set; } = "anonymous memory";
    /// <summary>Sent as it is, instead of any reply.</summary>
    public string? Raw { get; set; }
    /// <summary>Refuses every pool.create with this.</summary>
    public RpcError? CreateError { get; set; }
    /// <summary>How many requests are not begun, as beside an upgrade.</summary>
    public int NotBegun { get; set; }
    /// <summary>How often pool.destroy finds the pool busy.</summary>
    public int Busy { get; set; }
    /// <summary>Takes requests and answers none; with <see cref="Closes"/> it hangs up as well.</summary>
    public bool Mute { get; set; }
    public bool Closes { get; set; }
    /// <summary>Hangs up at this method, as one that is killed while it carries that out.</summary>
    public string? DiesAt { get; set; }
    /// <summary>Makes and removes a directory for each pool, as a mount would.</summary>
    public bool RealDirectories { get; set; }
    /// <summary>Pools that were made for swap, and so are root's alone.</summary>
    public HashSet<string> ForSwap { get; } = [];
    /// <summary>What the list says of each pool; null for a daemon that does not.</summary>
    public Func<string, bool>? HoldsSwap { get; set; }
    /// <summary>How long the client lives: what it would ask for after that is not asked.</summary>
    public Lifetime Life { get; } = new();

    public static PoolFigures Figures { get; } = new()
    {
        Pages = 1000, Objects = 1, OriginalBytes = 4096000, CompressedBytes = 1638400, SlotBytes = 1700000, IndexBytes =
            9000, SameFilledPages = 12, RawPages = 3,
        Puts = 2000, PutsStored = 1990, PutsReplaced = 990, PutsNoRoom = 6, PutsPoolLimit = 4, PutsClientLimit = 0,
            PutsFrozen = 0, PutsIncompressible = 0, Gets = 50, GetHits = 45, GetMisses = 5,
        PageFlushesFound = 1, PageFlushesNotFound = 2, ObjectFlushesFound = 3, ObjectFlushesNotFound = 4, PagesFlushed = 5,
            Evictions = 0, CorruptPages = 0,
    };

    /// <summary>Whether a method was called after another.</summary>
    public bool HasBeenAsked(string method, string after)
    {
        lock (Calls) return Calls.LastIndexOf(method) > Calls.IndexOf(after) && Calls.Contains(after);
    }

    public void Dispose()
    {
        _listener.Dispose();
        _thread.Join();
        Directory.Delete(_folder, recursive: true);
    }

    private void Serve()
    {
        try
        {
            while (true)
            {
                using var peer = _listener.Accept();
                using var stream = new NetworkStream(peer);
                using var reader = new StreamReader(stream);
                if (reader.ReadLine() is not { } line) continue;
                var request = JsonSerializer.Deserialize(line, ControlJson.Default.RpcRequest)!;
                lock (Calls) Calls.Add(request.Method);
                if (Closes || request.Method == DiesAt || (IsChange(request.Method) && !Life.TryChange())) continue;
                if (Mute)
                {
                    _ = reader.ReadLine();
                    continue;
                }
                stream.Write(System.Text.Encoding.UTF8.GetBytes((Raw ?? Answer(request)) + "\n"));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
        {
            // Disposed, before or during an accept; or the peer left.
        }
    }

    private static bool IsChange(string method) =>
        method is ControlMethod.PoolCreate or ControlMethod.PoolSet or ControlMethod.PoolDestroy;

    private string Answer(RpcRequest request)
    {
        var (result, error) = NotBegun-- > 0 ? (null, new RpcError(ControlErrorCode.NotBegun, "an upgrade to tmemd is under way",
            new RpcErrorData(request.Method, "ask again in a moment"))) : Carry(request);
        return error is null
            ? $$"""{"jsonrpc":"2.0","id":1,"result":{{result}}}"""
            : $$"""{"jsonrpc":"2.0","id":1,"error":{{JsonSerializer.Serialize(error, ControlJson.Default.RpcError)}}}""";
    }

    private (string? Result, RpcError? Error) Carry(RpcRequest request)
    {
        var name = request.Params is { ValueKind: JsonValueKind.Object } given && given.TryGetProperty("name", out var text)
            ? text.GetString()! : "";
        switch (request.Method)
        {
            case ControlMethod.Status:
                return (JsonSerializer.Serialize(Status(), ControlJson.Default.StatusReply), null);
            case ControlMethod.Metrics:
                var each = Pools.SelectMany(pool => Twins ? [Reply(pool.Key, pool.Value), Reply(pool.Key, pool.Value, next: 1)]
                    : (PoolReply[])[Reply(pool.Key, pool.Value)]).ToList();
                return (JsonSerializer.Serialize(new MetricsReply(Status(), each, Requests),
                    ControlJson.Default.MetricsReply), null);
            case ControlMethod.Check:
                return (JsonSerializer.Serialize(new CheckReply(7, 2, 1, 0.25, Problems), ControlJson.Default.CheckReply), null);
            case ControlMethod.Stop:
                if (StopError is not null) return (null, StopError);
                var lost = request.Params is { } wish && wish.GetProperty("discard").GetBoolean() ? Lost : 0;
                return (JsonSerializer.Serialize(new StopReply(4711, lost), ControlJson.Default.StopReply), null);
            case ControlMethod.Upgrade:
                Upgraded = request.Params!.Value.Deserialize(ControlJson.Default.UpgradeParameters);
                return UpgradeError is null
                    ? (JsonSerializer.Serialize(new UpgradeReply(4710, 0), ControlJson.Default.UpgradeReply), null)
                    : (null, UpgradeError);
            case ControlMethod.Adopt:
                return (JsonSerializer.Serialize(new AdoptReply(4711), ControlJson.Default.AdoptReply), null);
            case ControlMethod.PoolList:
                var pools = Pools.Select(pool => new PoolSummary
                {
                    Name = pool.Key, Id = IdOf(pool.Key), Kind = pool.Value, PageSize = 4096, LimitBytes =
                        0, RefuseIncompressible = false, Codec = "lz4",
                    Objects = 2, Pages = 1000, OriginalBytes = 4096000, CompressedBytes = 1638400, MemoryBytes = 1709000,
                    ForSwap = ForSwap.Contains(pool.Key) ? true : null, HoldsSwap = HoldsSwap?.Invoke(pool.Key),
                }).ToList();
                return (JsonSerializer.Serialize(new PoolListReply(pools), ControlJson.Default.PoolListReply), null);
            case ControlMethod.PoolShow:
                return Pools.TryGetValue(name, out var kind) ? (Pool(name, kind, 0, Guaranteed), null) : (null, NotFound(name));
            case ControlMethod.PoolCreate:
                var wanted = request.Params!.Value.Deserialize(ControlJson.Default.PoolCreateParameters)!;
                Reserved = wanted.Reserve;
                Created.Add(wanted);
                if (CreateError is { } refusal) return (null, refusal);
                if (!Pools.TryAdd(name, wanted.Ephemeral ? "ephemeral" : "persistent"))
                    return (null, new RpcError(ControlErrorCode.Exists, $"pool '{name}' is there",
                        new RpcErrorData(name, "choose another name")));
                if (wanted.ForSwap == true) ForSwap.Add(name);
                const UnixFileMode owners = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
                if (RealDirectories) Directory.CreateDirectory(Path.Combine(Mount, name), owners);
                return (Pool(name, Pools[name], wanted.Limit, wanted.Reserve), null);
            case ControlMethod.PoolSet:
                if (!Pools.TryGetValue(name, out var set)) return (null, NotFound(name));
                Set = request.Params!.Value.Deserialize(ControlJson.Default.PoolSetParameters)!;
                Reserved = Set.Reserve ?? Reserved;
                var now = JsonSerializer.Deserialize(Pool(name, set, Set.Limit ?? 0, Set.Reserve ?? 0),
                    ControlJson.Default.PoolReply)! with { Codec = "zstd", Owner = Set.Owner ?? 0, Mode = Set.Mode ?? 0x1ED };
                return (JsonSerializer.Serialize(new PoolSetReply(now, set == "ephemeral" ? 3 : 0,
                    set == "persistent" && Set.Limit > 0 ? 1 << 20 : 0), ControlJson.Default.PoolSetReply), null);
            case ControlMethod.PoolEmpty:
                return Pools.ContainsKey(name)
                    ? (JsonSerializer.Serialize(new PoolEmptyReply(name, 1000), ControlJson.Default.PoolEmptyReply), null)
                    : (null, NotFound(name));
            case ControlMethod.Resize or ControlMethod.Shrink or ControlMethod.Compact:
                return (JsonSerializer.Serialize(new RoomReply
                {
                    CapacityBytes = 1L << 30, UsedBytesBefore = 300 << 20, UsedBytes = UsedBytes, PagesEvicted = 1,
                    SlotsMoved = 44,
                }, ControlJson.Default.RoomReply), null);
            case ControlMethod.Sync:
                return (JsonSerializer.Serialize(new SyncReply(Region, 7, 0.1), ControlJson.Default.SyncReply), null);
            case ControlMethod.ClientList:
                return (JsonSerializer.Serialize(new ClientListReply([Client]), ControlJson.Default.ClientListReply), null);
            case ControlMethod.ClientSet:
                var wishes = request.Params!.Value.Deserialize(ControlJson.Default.ClientSetParameters)!;
                return (JsonSerializer.Serialize(Client with
                {
                    LimitBytes = wishes.Limit ?? Client.LimitBytes, Weight = wishes.Weight ?? Client.Weight,
                }, ControlJson.Default.ClientFigures), null);
            case ControlMethod.PoolDestroy:
                if (Busy-- > 0) return (null, new RpcError(ControlErrorCode.Busy, "a file of it is open",
                    new RpcErrorData(name, "close it")));
                if (!Pools.Remove(name)) return (null, NotFound(name));
                ForSwap.Remove(name);
                if (RealDirectories) Directory.Delete(Path.Combine(Mount, name));
                return (JsonSerializer.Serialize(new PoolDestroyReply(name, 1000), ControlJson.Default.PoolDestroyReply), null);
            default:
                return (null, new RpcError(ControlErrorCode.MethodNotFound, "no method", null));
        }
    }

    private static ClientFigures Client { get; } = new()
    {
        Id = 1, Weight = 1, LimitBytes = 0, Frozen = false, Pools = 2, Pages = 1000, MemoryBytes = 5 << 20,
        EphemeralBytes = 1 << 20, ShareBytes = 1 << 20,
    };

    private static RpcError NotFound(string name) =>
        new(ControlErrorCode.NotFound, $"no pool '{name}'", new RpcErrorData(name, "see the list"));

    /// <summary>The same for the same name in all runs.</summary>
    public static uint IdOf(string name) => name.Aggregate(1000u, (id, letter) => unchecked(id * 31 + letter));

    private static string Pool(string name, string kind, long limit, long reserve = 0) => JsonSerializer.Serialize(new PoolReply
    {
        Name = name, Id = IdOf(name), Kind = kind, PageSize = 4096, LimitBytes = limit, ReserveBytes =
            reserve, RefuseIncompressible = false, Figures = Figures,
    }, ControlJson.Default.PoolReply);

    private static PoolReply Reply(string name, string kind, uint next = 0) => new()
    {
        Name = name, Id = IdOf(name) + next, Kind = kind, PageSize = 4096, LimitBytes = 0, RefuseIncompressible = false,
        Figures = Figures,
    };

    private StatusReply Status() => new()
    {
        Version = "9.8.7", Commit = "abc123",
        Pid = 4711, Processes = Processes, MountPoint = Mount, Connection = Connection, SocketPath =
            SocketPath, Region = Region, StartedAt = DateTimeOffset.UnixEpoch,
        UptimeSeconds = 200, Threads = 4, Settings = Settings, ReserveExcess = Excess, Pools = Pools.Count, Total = Figures,
        Store = new StoreFigures
        {
            CapacityBytes = 1L << 30, UsedBytes = UsedBytes, PeakUsedBytes = 300 << 20, PageSpanBytes = 250 << 20, MetadataBytes =
                6 << 20,
            ReadySpanBytes = 1 << 20, RecordSpanBytes = 2 << 20, SlackBytes = 3 << 20, SlotsMoved = 44, Spans = 77,
                SpansReturned = 5, Generation = 3, Durability = Durability,
        },
    };
}
