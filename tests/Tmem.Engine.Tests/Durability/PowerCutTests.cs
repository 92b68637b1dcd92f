using System.Collections.Concurrent;
using CsCheck;
using Tmem.Engine.Tests.Recompress;

namespace Tmem.Engine.Tests.Durability;

/// <summary>
/// The power is cut at any moment of a concurrent workload with syncs, on a disk that keeps what was synced and any part of what
/// was not. The region that opens must be sound, hold everything that a sync had promised, and be a state that the store was in:
/// of each thread's ordered changes, a prefix.
/// </summary>
public sealed class PowerCutTests
{
    private const int Writers = 3;
    private const int MostSyncs = 1000;

    /// <summary>
    /// What a writer changes, how many changes make a page that does not shrink, how often each syncer syncs, and how long a
    /// writer may rest after a change, in spins.
    /// </summary>
    private sealed record Workload(int Objects, int Indices, int Every, int Syncs, int Rest)
    {
        public static readonly Workload Busy = new(4, 40, 3, 6, 0);

        /// <summary>
        /// Two pages a writer, which take turns in the same slots: the index returns to what it was, with other pages in them.
        /// </summary>
        public static readonly Workload Returning = new(1, 2, 1, 60, 4000);
    }

    [Theory]
    [InlineData(false, false, false)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(true, false, true)]
    [InlineData(false, false, false, true)]
    public void What_was_synced_is_there_and_nothing_is_wrong(bool withoutTracking, bool diskFails, bool returns,
        bool recompresses = false) =>
        Gen.Int.Sample(seed =>
    {
        var disk = new SimulatedDisk();
        var history = new History(returns ? Workload.Returning : Workload.Busy);
        PoolId pool;
        using (var engine = Open(disk, withoutTracking, recompresses))
        {
            pool = Engines.Pool(engine.Client(new TmemClientId(1)));
            Assert.Equal(TmemStatus.Ok, engine.Sync());
            history.Promise(disk.Now);
            var failures = new Random(seed);
            if (diskFails) disk.Fails = _ => failures.Next(12) == 0 ? Tmds.Linux.LibC.EIO : 0;
            Work(engine, pool, disk, history, seed);
            disk.Fails = null;
        }
        history.Promise(disk.Now, closed: true);
        var random = new Random(seed);
        for (var cut = 0; cut < (returns ? 40 : withoutTracking ? 60 : 150); cut++)
        {
            var moment = cut == 0 ? disk.Now : random.Next(disk.Now + 1);
            Check(disk.AfterPowerCut(moment, random), history, moment, pool);
        }
    }, iter: 2, threads: 1);

    private static TmemEngine Open(SimulatedDisk disk, bool withoutTracking = false, bool recompresses = false)
    {
        var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 2 * Engines.Mebi, ImageFile = disk, SyncInterval = TimeSpan.Zero, WithoutWriteTracking =
                withoutTracking,
            RecompressesWhenAsked = recompresses, RecompressionLevel = 1,
            Recompression = Cold.Settings with { DictionaryBytes = 4 << 10, FewestSampleBytes = 64 << 10 },
        });
        Trackers.AssertIs(engine, withoutTracking);
        return engine;
    }

    private static void Work(TmemEngine engine, PoolId pool, SimulatedDisk disk, History history, int seed)
    {
        var stop = 0;
        var work = history.Workload;
        var writers = Enumerable.Range(0, Writers).Select(writer => new Thread(() =>
        {
            var client = engine.Client(new TmemClientId(1));
            var random = new Random(seed + writer);
            var page = new byte[Pages.Size];
            for (var version = 1; Volatile.Read(ref stop) == 0; version++)
            {
                // The next change of a key is announced before it is made.
                var key = new Key(writer, random.Next(work.Objects), (uint)random.Next(work.Indices));
                var absent = random.Next(4) == 0;
                history.Begin(key, version, absent);
                if (absent) client.FlushPage(pool, key.Object, key.Index);
                else Assert.Equal(TmemStatus.Ok, client.Replace(pool, key.Object, key.Index, Stamp(key, version, work)));
                history.Done(writer, version);
                if (work.Rest > 0) Thread.SpinWait(random.Next(work.Rest));
                else if (random.Next(20) == 0) Thread.Yield();
            }
        })).ToList();
        writers.ForEach(one => one.Start());
        var syncers = Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < work.Syncs || (i < MostSyncs && !HasRecompressed(engine)); i++)
            {
                var versions = history.DoneSoFar();
                var status = engine.Sync();
                if (status == TmemStatus.Ok) history.Promise(disk.Now, versions);
                else Assert.True(status == TmemStatus.DiskError && disk.Fails is not null, $"sync answers {status}");
                Thread.Sleep(1);
            }
        })).ToList();
        var recompressor = new Thread(() =>
        {
            // Dictionaries come and go as well.
            for (var passes = 0; engine.Recompressor is not null && Volatile.Read(ref stop) == 0; passes++)
            {
                Cold.Pass(engine);
                if (passes % 8 != 7) continue;
                for (var number = 0; number < Pam.Dictionaries.Most; number++)
                    if (engine.Dictionaries[number].IsThere) engine.Recompressor.Keeper.Retire(number);
            }
        });
        recompressor.Start();
        syncers.ForEach(one => one.Start());
        syncers.ForEach(one => one.Join());
        Volatile.Write(ref stop, 1);
        writers.ForEach(one => one.Join());
        recompressor.Join();
        Assert.True(HasRecompressed(engine));
    }

    private static bool HasRecompressed(TmemEngine engine) =>
        engine.Recompressor is null || engine.Statistics().Total.PagesRecompressed > 50;

    private static void Check(SparseBytes contents, History history, int moment, PoolId pool)
    {
        using var engine = Open(new SimulatedDisk(contents));
        Engines.AssertSound(engine);
        var promised = history.PromisedAt(moment);
        if (promised is null)
        {
            // Before the pool was durable: it is there or not.
            return;
        }
        var client = engine.Client(new TmemClientId(1));
        Assert.Equal([pool], client.Pools());
        for (var writer = 0; writer < Writers; writer++)
        {
            // The writer's last change in this state; every earlier one must be in it, and no later one.
            var states = history.StatesOf(writer, key => Read(client, pool, key, history.Workload));
            Assert.True(states.Any(version => version >= promised[writer]),
                $"cut at {moment}: writer {writer} was promised change {promised[writer]}, the state is that after "
                + $"{string.Join(", ", states)}");
        }
    }

    private static int Read(TmemClient client, PoolId pool, Key key, Workload work)
    {
        var page = new byte[Pages.Size];
        var status = client.Get(pool, key.Object, key.Index, page);
        if (status == TmemStatus.Miss) return 0;
        Assert.Equal(TmemStatus.Ok, status);
        var version = BitConverter.ToInt32(page, 0);
        Assert.Equal(Stamp(key, version, work), page);
        return version;
    }

    /// <summary>A page that names its writer and its change.</summary>
    private static byte[] Stamp(Key key, int version, Workload work)
    {
        var page = version % work.Every == 0 ? Pages.Random(version) : version % work.Every == 1 ? Cold.Words(version)
            : Pages.Text(version);
        BitConverter.TryWriteBytes(page, version);
        BitConverter.TryWriteBytes(page.AsSpan(4), key.Writer);
        BitConverter.TryWriteBytes(page.AsSpan(8), key.Number);
        BitConverter.TryWriteBytes(page.AsSpan(12), key.Index);
        return page;
    }

    private readonly record struct Key(int Writer, int Number, uint Index)
    {
        public ObjectId Object => new((ulong)(Writer * 100 + Number + 1));
    }

    /// <summary>What the writers did and what syncs promised them.</summary>
    private sealed class History(Workload workload)
    {
        private readonly ConcurrentQueue<(Key Key, int Version, bool Absent)>[] _changes =
            [.. Enumerable.Range(0, Writers).Select(_ => new ConcurrentQueue<(Key, int, bool)>())];
        private readonly int[] _done = new int[Writers];
        private readonly List<(int Moment, int[] Versions)> _promises = [];

        public Workload Workload => workload;

        public void Begin(Key key, int version, bool absent) => _changes[key.Writer].Enqueue((key, version, absent));

        public void Done(int writer, int version) => Volatile.Write(ref _done[writer], version);

        public int[] DoneSoFar() => [.. Enumerable.Range(0, Writers).Select(writer => Volatile.Read(ref _done[writer]))];

        public void Promise(int moment, int[] versions) { lock (_promises) _promises.Add((moment, versions)); }

        public void Promise(int moment, bool closed = false) => Promise(moment, closed ? DoneSoFar() : new int[Writers]);

        public int[]? PromisedAt(int moment)
        {
            lock (_promises)
            {
                var before = _promises.Where(one => one.Moment <= moment).ToList();
                return before.Count == 0 ? null
                    : [.. Enumerable.Range(0, Writers).Select(writer => before.Max(one => one.Versions[writer]))];
            }
        }

        /// <summary>The change after which all of a writer's pages were as they read now; 0 is before the first.</summary>
        public List<int> StatesOf(int writer, Func<Key, int> read)
        {
            var found = new Dictionary<Key, int>();
            for (var number = 0; number < workload.Objects; number++)
            {
                for (uint index = 0; index < workload.Indices; index++)
                {
                    var key = new Key(writer, number, index);
                    found[key] = read(key);
                }
            }
            var differing = found.Values.Count(version => version != 0);
            var now = found.Keys.ToDictionary(key => key, _ => 0);
            var states = new List<int>();
            if (differing == 0) states.Add(0);
            foreach (var (key, version, absent) in _changes[writer])
            {
                if (now[key] == found[key]) differing++;
                now[key] = absent ? 0 : version;
                if (now[key] == found[key]) differing--;
                if (differing == 0) states.Add(version);
            }
            return states;
        }
    }
}
