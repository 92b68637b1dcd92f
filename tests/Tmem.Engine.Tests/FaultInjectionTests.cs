using Tmem.Engine.Records;

namespace Tmem.Engine.Tests;

/// <summary>
/// The n-th allocation fails, for every n that a mixed sequence reaches: nothing stays half-built, and only the pages that an
/// operation names change.
/// </summary>
public sealed class FaultInjectionTests
{
    [Fact]
    public void Whichever_allocation_fails_the_store_stays_sound()
    {
        var reached = true;
        for (var n = 1; reached; n++)
        {
            using var engine = Engines.Still();
            reached = RunWithFailureAt(engine, n);
            Engines.AssertSound(engine);
            Assert.True(n < 1000, "the sequence should need far fewer allocations");
            if (!reached) Assert.True(n > 60, $"only {n} allocations were reached; the test tests nothing");
        }
    }

    [Fact]
    public void A_store_that_fails_half_the_time_never_lies()
    {
        using var engine = Engines.Still();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        var random = new Random(1);
        engine.Slabs.FaultInjector = () => random.Next(2) == 0;
        var model = new Dictionary<(ulong, uint), int>();
        var page = new byte[Pages.Size];
        var failures = 0;
        for (var i = 0; i < 5000; i++)
        {
            var key = ((ulong)random.Next(20), (uint)(random.Next(3) == 0 ? random.Next() : random.Next(100)));
            var keep = random.Next(2) == 0;
            var status = keep
                ? client.Replace(pool, new ObjectId(key.Item1), key.Item2, Pages.Any(i))
                : client.Put(pool, new ObjectId(key.Item1), key.Item2, Pages.Any(i));
            if (status == TmemStatus.Ok) model[key] = i;
            else
            {
                Assert.Equal(TmemStatus.NoRoom, status);
                failures++;
                if (!keep) model.Remove(key);
            }
        }
        Assert.InRange(failures, 1000, 4500);
        foreach (var (key, seed) in model)
        {
            Assert.Equal(TmemStatus.Ok, client.Get(pool, new ObjectId(key.Item1), key.Item2, page));
            Assert.Equal(Pages.Any(seed), page);
        }
        engine.Slabs.FaultInjector = null;
        Engines.AssertSound(engine);
        Assert.Equal(model.Count, Engines.Figures(client, pool).Pages);
    }

    [Theory]
    [InlineData(PoolFlags.Persistent)]
    [InlineData(PoolFlags.Shared)]
    public void Whichever_allocation_of_a_write_fails_nothing_is_half_done(PoolFlags flags)
    {
        var reached = true;
        var n = 0;
        while (reached)
        {
            n++;
            using var engine = Engines.Still();
            reached = WriteAndExchangeWithFailureAt(engine, flags, n);
            Engines.AssertSound(engine);
        }
        Assert.True(n > 30, $"only {n} allocations were reached; the test tests nothing");
    }

    private static bool WriteAndExchangeWithFailureAt(TmemEngine engine, PoolFlags flags, int n)
    {
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, flags);
        var obj = new ObjectId(1);
        var page = new byte[Pages.Size];
        uint[] indexes = [0, 5, 64, 5000, uint.MaxValue];
        var model = indexes.ToDictionary(index => index, index => Pages.Any((int)(index % 7)));
        foreach (var index in indexes) Assert.Equal(TmemStatus.Ok, client.Put(pool, obj, index, model[index]));
        var calls = 0;
        engine.Slabs.FaultInjector = () => ++calls == n;
        for (var round = 0; round < 8; round++)
        {
            foreach (var index in indexes)
            {
                var (offset, part) = (round * 300, Pages.Any(round + (int)(index % 5))[..1500]);
                var isFailing = calls < n;
                var status = client.Write(pool, obj, index, offset, part);
                isFailing &= calls >= n;
                if (status == TmemStatus.Ok) part.CopyTo(model[index], offset);
                // A persistent pool refuses and keeps its page; an ephemeral one makes room with one of its own pages, perhaps
                // this one.
                if (flags == PoolFlags.Persistent) Assert.Equal(isFailing ? TmemStatus.NoRoom : TmemStatus.Ok, status);
                else if (status != TmemStatus.Ok)
                    Assert.True(calls >= n && status == TmemStatus.Miss && model.Remove(index), $"{status}");
                if (!model.ContainsKey(index)) indexes = [.. indexes.Except([index])];
            }
            var (a, b) = (indexes[round % indexes.Length], indexes[(round + 2) % indexes.Length]);
            var allocated = calls;
            if (client.Exchange(pool, obj, a, pool, obj, b) == TmemStatus.Ok) (model[a], model[b]) = (model[b], model[a]);
            else Assert.True(flags != PoolFlags.Persistent && calls >= n);
            Assert.Equal(allocated, calls);
        }
        engine.Slabs.FaultInjector = null;
        var gone = 0;
        foreach (var (index, expected) in model)
        {
            var status = client.Get(pool, obj, index, page);
            if (status == TmemStatus.Miss) gone++;
            else Assert.Equal(expected, page);
        }
        Assert.True(gone <= (flags == PoolFlags.Persistent || calls < n ? 0 : 1), $"{gone} pages are gone");
        return calls >= n;
    }

    /// <summary>
    /// Every operation, on every kind of pool, beside records: one allocation fails, or all fail from there on.
    /// </summary>
    [Theory]
    [InlineData(PoolFlags.Persistent, false)]
    [InlineData(PoolFlags.Persistent, true)]
    [InlineData(PoolFlags.None, false)]
    [InlineData(PoolFlags.None, true)]
    [InlineData(PoolFlags.Shared, false)]
    [InlineData(PoolFlags.Shared, true)]
    public void Whichever_allocation_fails_every_operation_keeps_its_contract(PoolFlags flags, bool forGood)
    {
        var reached = true;
        for (var n = 1; reached; n++)
        {
            using var engine = Engines.Still();
            var calls = 0;
            var run = new FaultyRun(engine, flags);
            engine.Slabs.FaultInjector = () => ++calls == n || (forGood && calls > n);
            run.Steps(110);
            engine.Slabs.FaultInjector = null;
            run.CheckAll();
            Engines.AssertSound(engine);
            reached = calls >= n;
            if (!reached) Assert.True(n > 60, $"only {n} allocations were reached; the test tests nothing");
        }
    }

    /// <summary>Random operations on one pool, the same in each run, against a dictionary.</summary>
    private sealed class FaultyRun
    {
        private readonly Random _random = new(3);
        private readonly Dictionary<(ulong Object, uint Index), int> _model = [];
        private readonly List<RecordRef> _records = [];
        private readonly byte[] _page = new byte[Pages.Size];
        private readonly TmemEngine _engine;
        private readonly TmemClient _client;
        private readonly PoolId _pool;
        private readonly bool _isPersistent, _consumes;

        public FaultyRun(TmemEngine engine, PoolFlags flags)
        {
            _engine = engine;
            _client = engine.Client(new TmemClientId(1));
            _pool = Engines.Pool(_client, flags);
            _isPersistent = flags == PoolFlags.Persistent;
            _consumes = flags == PoolFlags.None;
        }

        public void Steps(int count)
        {
            for (var i = 0; i < count; i++)
            {
                var (obj, index) = ((ulong)_random.Next(6),
                    _random.Next(3) switch { 0 => 0u, 1 => (uint)_random.Next(100), _ => (uint)_random.Next() });
                switch (_random.Next(10))
                {
                    case < 5: Put(obj, index, i, replace: _random.Next(2) == 0); break;
                    case < 7: Get(obj, index); break;
                    case 7: Flush(obj, index); break;
                    case 8:
                        _client.FlushRange(_pool, new ObjectId(obj), index / 2, index, out _);
                        foreach (var key in _model.Keys.Where(key => key.Object == obj && key.Index >= index / 2
                            && key.Index <= index).ToList()) _model.Remove(key);
                        break;
                    default: Record(); break;
                }
            }
        }

        public void CheckAll()
        {
            foreach (var (obj, index) in _model.Keys.ToList()) Get(obj, index);
            var seen = new List<RecordRef>();
            _engine.Records.ForEach(1, seen.Add);
            Assert.Equal(_records.Select(record => record.Value).Order(), seen.Select(record => record.Value).Order());
        }

        private void Put(ulong obj, uint index, int seed, bool replace)
        {
            var status = replace
                ? _client.Replace(_pool, new ObjectId(obj), index, Pages.Any(seed))
                : _client.Put(_pool, new ObjectId(obj), index, Pages.Any(seed));
            Assert.True(status is TmemStatus.Ok or TmemStatus.NoRoom, $"{status}");
            if (status == TmemStatus.Ok) _model[(obj, index)] = seed;
            else if (!replace) _model.Remove((obj, index));
        }

        private void Get(ulong obj, uint index)
        {
            var status = _client.Get(_pool, new ObjectId(obj), index, _page);
            var known = _model.TryGetValue((obj, index), out var seed);
            // A failing allocation evicts ephemeral pages before it is refused.
            Assert.True(status == (known ? TmemStatus.Ok : TmemStatus.Miss) || (status == TmemStatus.Miss && !_isPersistent),
                $"{status}, known {known}");
            if (status == TmemStatus.Ok) Assert.Equal(Pages.Any(seed), _page);
            if (_consumes || status == TmemStatus.Miss) _model.Remove((obj, index));
        }

        private void Flush(ulong obj, uint index)
        {
            var known = _model.Remove((obj, index));
            var status = _client.FlushPage(_pool, new ObjectId(obj), index);
            Assert.True(status == (known ? TmemStatus.Ok : TmemStatus.Miss) || (status == TmemStatus.Miss && !_isPersistent),
                $"{status}, known {known}");
        }

        private void Record()
        {
            if (_engine.Records.Allocate(1, _random.Next(1, 3000), out var record) != TmemStatus.Ok) return;
            _engine.Records.Commit(record);
            _records.Add(record);
        }
    }

    private static bool RunWithFailureAt(TmemEngine engine, int n)
    {
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        var calls = 0;
        engine.Slabs.FaultInjector = () => ++calls == n;
        var page = new byte[Pages.Size];
        uint[] indexes = [0, 5, 64, 5000, 1_000_000, uint.MaxValue, 0];
        for (ulong obj = 0; obj < 4; obj++)
        {
            foreach (var index in indexes)
            {
                var before = client.Get(pool, new ObjectId(obj), index, page);
                var failing = calls;
                var status = client.Replace(pool, new ObjectId(obj), index, Pages.Text((int)obj));
                var failed = failing < n && calls >= n;
                Assert.Equal(failed ? TmemStatus.NoRoom : TmemStatus.Ok, status);
                if (failed) Assert.Equal(before, client.Get(pool, new ObjectId(obj), index, page));
            }
        }
        engine.Slabs.FaultInjector = null;
        return calls >= n;
    }
}
