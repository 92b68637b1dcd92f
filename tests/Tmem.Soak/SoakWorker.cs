namespace Tmem.Soak;

/// <summary>
/// One thread of a soak: a client with pools of every kind that nobody else touches, whose every answer is checked against a
/// model, and a share in the common pools, where a page read must be one that somebody put under that handle.
/// </summary>
internal sealed class SoakWorker
{
    private const int Objects = 24;

    private readonly Random _random;
    private readonly uint _number;
    private readonly PoolId[] _common;
    private readonly int _indexes;
    private readonly List<PoolModel> _pools;
    private readonly byte[] _page = new byte[SoakPage.Size];
    private readonly byte[] _room = new byte[SoakPage.Size];
    private TmemEngine _engine = null!;
    private TmemClient _client = null!;
    private TmemClient _everybody = null!;
    private long _putNumber;
    private long _operations;

    /// <summary>The client that owns the common pools.</summary>
    public static TmemClientId Everybody => new(1000);

    public SoakWorker(EngineSoakOptions options, int number, PoolId[] common)
    {
        _number = (uint)number + 1;
        _random = new Random(options.Seed * 1000 + number);
        _common = common;
        // All pools of all threads together want about one and a half times what there is room for, so that room does run out.
        _indexes = (int)Math.Clamp(3 * options.CapacityBytes / 2 / 2000 / options.Threads / 5 / Objects, 16, 1 << 20);
        _pools =
        [
            new(new PoolOptions(PoolFlags.Persistent)),
            new(new PoolOptions(PoolFlags.None)),
            new(new PoolOptions(PoolFlags.Shared)),
            new(new PoolOptions(PoolFlags.Persistent, LimitBytes: options.CapacityBytes / 8 / options.Threads)),
            new(new PoolOptions(PoolFlags.Persistent, RefuseIncompressible: true)),
        ];
    }

    public long Operations => Volatile.Read(ref _operations);

    /// <summary>Takes up work on an engine just opened: pools are made the first time, found again from then on.</summary>
    public void Attach(TmemEngine engine)
    {
        _engine = engine;
        _client = engine.Client(new TmemClientId(_number));
        _everybody = engine.Client(Everybody);
        foreach (var pool in _pools)
        {
            if (pool.Id != default) continue;
            Check(_client.NewPool(pool.Options, out var id) == TmemStatus.Ok, "no room for the first pools");
            pool.Id = id;
        }
        Check(_client.Pools().Order(ById).SequenceEqual(_pools.Select(pool => pool.Id).Order(ById)),
            "the client's pools are not those it made");
    }

    public void Work(Func<Phase> phase, CancellationToken stop)
    {
        _engine.PrepareThread();
        while (!stop.IsCancellationRequested)
        {
            for (var i = 0; i < 64; i++) Step(phase());
            Volatile.Write(ref _operations, _operations + 64);
        }
    }

    /// <summary>Reads every page of the model back. Nobody else works.</summary>
    public void CheckAll()
    {
        foreach (var pool in _pools)
        {
            foreach (var (obj, index, _) in pool.All()) Get(pool, obj, index);
        }
    }

    private void Step(Phase phase)
    {
        var pool = _pools[_random.Next(_pools.Count)];
        var obj = (ulong)_random.Next(Objects);
        var index = _random.Next(50) == 0 ? (uint)_random.NextInt64(1L << 32) : (uint)_random.Next(_indexes);
        var puts = phase switch { Phase.Grow => 600, Phase.Churn => 400, _ => 150 };
        switch (_random.Next(1000))
        {
            case var n when n < puts: Put(pool, obj, index, replace: n % 2 == 0); break;
            case < 850: Get(pool, obj, index); break;
            case < 890: FlushPage(pool, obj, index); break;
            case < 940: NextAndCount(pool, obj, index); break;
            case < 990: StepInCommon(index); break;
            case < 993 when phase == Phase.Shrink: FlushRange(pool, obj, 0, uint.MaxValue); break;
            case < 997: FlushRange(pool, obj, index, index + (uint)_random.Next(phase == Phase.Shrink ? _indexes : 8)); break;
            case < 999: Trespass(); break;
            default: if (_random.Next(200) == 0) Renew(pool); break;
        }
    }

    private void Put(PoolModel pool, ulong obj, uint index, bool replace)
    {
        var number = ++_putNumber << 8 | _number;
        // The low bits choose the kind of page, so they must not be the thread's.
        number = number << 3 | (uint)_random.Next(8);
        SoakPage.Make(_page, Key(obj, index), number);
        var status = replace ? _client.Replace(pool.Id, Id(obj), index, _page) : _client.Put(pool.Id, Id(obj), index, _page);
        var isRefused = pool.Options.RefuseIncompressible && SoakPage.DoesNotShrink(number);
        Check(status switch
        {
            TmemStatus.Ok => !isRefused,
            TmemStatus.Incompressible => isRefused,
            TmemStatus.PoolLimit => pool.Options.LimitBytes > 0,
            TmemStatus.NoRoom => true,
            _ => false,
        }, $"{(replace ? "replace" : "put")} of page {number:x}: {status}", pool, obj, index);
        if (status == TmemStatus.Ok) pool.Set(obj, index, number);
        else if (!replace) pool.Remove(obj, index);
    }

    private void Get(PoolModel pool, ulong obj, uint index)
    {
        var status = _client.Get(pool.Id, Id(obj), index, _page);
        var known = pool.TryGet(obj, index, out var number);
        if (status == TmemStatus.Miss)
        {
            Check(!known || !pool.IsPersistent, $"a miss, and page {number:x} was put", pool, obj, index);
            pool.Remove(obj, index);
            return;
        }
        Check(status == TmemStatus.Ok, $"get: {status}", pool, obj, index);
        Check(known, "a page, and none is there", pool, obj, index);
        SoakPage.Make(_room, Key(obj, index), number);
        Check(_page.AsSpan().SequenceEqual(_room), $"not page {number:x}, which was put", pool, obj, index);
        if (pool.GetConsumes) pool.Remove(obj, index);
    }

    private void FlushPage(PoolModel pool, ulong obj, uint index)
    {
        var status = _client.FlushPage(pool.Id, Id(obj), index);
        var known = pool.Remove(obj, index);
        Check(status == (known ? TmemStatus.Ok : TmemStatus.Miss) || (status == TmemStatus.Miss && !pool.IsPersistent),
            $"flush: {status}, and a page was {(known ? "" : "not ")}there", pool, obj, index);
    }

    private void FlushRange(PoolModel pool, ulong obj, uint first, uint last)
    {
        if (last < first) last = uint.MaxValue;
        var status = _client.FlushRange(pool.Id, Id(obj), first, last, out var flushed);
        var known = pool.RemoveRange(obj, first, last);
        Check(status == (flushed > 0 ? TmemStatus.Ok : TmemStatus.Miss)
            && (flushed == known || (flushed < known && !pool.IsPersistent)),
            $"flush up to {last}: {status}, {flushed} pages of {known}", pool, obj, first);
    }

    private void NextAndCount(PoolModel pool, ulong obj, uint from)
    {
        var status = _client.NextPage(pool.Id, Id(obj), from, out var found);
        _client.CountPages(pool.Id, Id(obj), out var pages);
        if (pool.IsPersistent)
        {
            Check((status == TmemStatus.Ok ? found : null) == pool.Next(obj, from), $"next page: {status}, {found}", pool, obj,
                from);
            Check(pages == pool.Count(obj), $"counts {pages} pages of {pool.Count(obj)}", pool, obj, from);
            return;
        }
        Check(status == TmemStatus.Miss || pool.TryGet(obj, found, out _), $"next page is {found}, and none is there", pool, obj,
            from);
        Check(pages <= pool.Count(obj), $"counts {pages} pages of at most {pool.Count(obj)}", pool, obj, from);
    }

    private void StepInCommon(uint index)
    {
        var pool = _common[_random.Next(_common.Length)];
        var obj = (ulong)_random.Next(3);
        index %= 700;
        var key = Key(obj, index) + pool.Value;
        TmemStatus status;
        switch (_random.Next(10))
        {
            case < 4:
                SoakPage.MakeTelling(_page, key, ++_putNumber << 8 | _number);
                status = _everybody.Put(pool, Id(obj), index, _page);
                Check(status is TmemStatus.Ok or TmemStatus.NoRoom, $"put into a common pool: {status}");
                break;
            case < 8:
                status = _everybody.Get(pool, Id(obj), index, _page);
                Check(status is TmemStatus.Ok or TmemStatus.Miss, $"get from a common pool: {status}");
                Check(status != TmemStatus.Ok || SoakPage.IsTold(_page, key, _room),
                    $"{new PageHandle(pool, Id(obj), index)}: a page that nobody put there");
                break;
            case 8:
                _everybody.FlushPage(pool, Id(obj), index);
                break;
            default:
                if (_random.Next(100) == 0) _everybody.FlushObject(pool, Id(obj));
                break;
        }
    }

    private void Trespass()
    {
        var pool = _common[_random.Next(_common.Length)];
        Check(_client.Get(pool, Id(0), 0, _page) == TmemStatus.ForeignClient, "another client's pool let us in");
        Check(_client.Put(_pools[0].Id, ObjectId.Invalid, 0, _page) == TmemStatus.InvalidObjectId,
            "the reserved object id was taken");
    }

    private void Renew(PoolModel pool)
    {
        var old = pool.Id;
        var status = _client.NewPool(pool.Options, out var id);
        Check(status is TmemStatus.Ok or TmemStatus.NoRoom, $"new pool: {status}");
        if (status != TmemStatus.Ok) return;
        Check(id != old, "a pool's id came back");
        Check(_client.DestroyPool(old) == TmemStatus.Ok, "a pool could not be destroyed");
        Check(_client.Get(old, Id(0), 0, _page) == TmemStatus.NoSuchPool, "a destroyed pool answered");
        pool.Clear();
        pool.Id = id;
    }

    private static readonly Comparer<PoolId> ById = Comparer<PoolId>.Create((a, b) => a.Value.CompareTo(b.Value));

    private static ObjectId Id(ulong obj) => new(obj, obj << 32, 0);

    private static ulong Key(ulong obj, uint index) => obj << 32 | index;

    private void Check(bool holds, string what, PoolModel pool, ulong obj, uint index)
    {
        if (!holds)
            throw new SoakFailure($"thread {_number}, {new PageHandle(pool.Id, Id(obj), index)} ({pool.Options}): {what}");
    }

    private void Check(bool holds, string what)
    {
        if (!holds) throw new SoakFailure($"thread {_number}: {what}");
    }
}
