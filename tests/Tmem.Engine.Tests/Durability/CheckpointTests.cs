using Tmds.Linux;
using Tmem.Engine.Durability;
using Tmem.Engine.Format;

namespace Tmem.Engine.Tests.Durability;

/// <summary>What a sync promises, whom it delays, and what it does when the disk refuses.</summary>
public sealed class CheckpointTests
{
    private static readonly TmemClientId s_client = new(1);
    private static readonly ValuedPages s_pages = new(Pages.Text);

    [Fact]
    public void Without_a_file_a_sync_is_done()
    {
        using var engine = Engines.Anonymous();
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(new DurabilityStatistics { Tracking = ChangeTracking.None }, engine.Statistics().Durability);
    }

    [Fact]
    public unsafe void A_checkpoint_frees_no_slot_that_waits()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = s_pages.Fill(engine, 3000);
        for (uint i = 0; i < 3000; i += 100) engine.Client(s_client).FlushPage(pool, new ObjectId(1), i);
        var before = Waiting();
        Assert.True(before > 0, "no slot waits; the test tests nothing");
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(before, Waiting());
        Assert.InRange(engine.Checkpoint!.PagesHeld, 0, 4);
        // A process that opens the image finds them free.
        using var again = Open(new SimulatedDisk(disk.Contents));
        Engines.AssertSound(again);
        Assert.Equal(3000 - 30, Engines.Figures(again.Client(s_client), pool).Pages);

        int Waiting() => Enumerable.Range(0, SizeClasses.Count)
            .Sum(sizeClass => engine.Slabs.Waiting(SpanKind.PersistentPages, sizeClass));
    }

    [Theory]
    [InlineData(10, 0)]
    [InlineData(int.MaxValue, 1)]
    public unsafe void Who_never_rests_holds_nobody_up_for_ever(int changes, int unquiet)
    {
        var notices = new List<string>();
        var looks = 0;
        var disk = new SimulatedDisk();
        using var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 4 * Engines.Mebi, ImageFile = disk, SyncInterval = TimeSpan.Zero, CompactInBackground = false,
            Notice = notice => { lock (notices) notices.Add(notice.Sentence); },
        });
        s_pages.Fill(engine, 10);
        // A word that no latch protects; nobody reads it.
        engine.Checkpoint!.OnStep = step =>
            { if (step == CheckpointStep.Look && looks++ < changes) ++*(long*)(engine.Memory.Start + 2048); };
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.InRange(looks, 2, 64);
        engine.Checkpoint.OnStep = null;
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(unquiet, engine.Statistics().Durability.Unquiet);
        lock (notices) Assert.Equal(unquiet, notices.Count(one => one.Contains("quiet", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Callers_at_the_same_time_share_one_checkpoint()
    {
        using var reached = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = s_pages.Fill(engine, 10);
        disk.Before = what => { if (what == "sync") { reached.Set(); go.Wait(); } };
        var first = Task.Factory.StartNew(engine.Sync, TaskCreationOptions.LongRunning);
        reached.Wait();
        // In flight already: it may have copied before this, so later callers need another.
        s_pages.Put(engine, pool, 3, 99);
        var others = Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(engine.Sync, TaskCreationOptions.LongRunning))
            .ToArray();
        while (engine.SyncsWaiting < 9) Thread.Sleep(1);
        Assert.DoesNotContain(others, one => one.IsCompleted);
        go.Set();
        Assert.All(await Task.WhenAll([first, .. others]), status => Assert.Equal(TmemStatus.Ok, status));
        Assert.Equal(2, engine.Statistics().Durability.Checkpoints);
        using var again = Open(new SimulatedDisk(disk.Contents));
        Assert.Equal(99, s_pages.Value(again, pool, 3));
    }

    [Fact]
    public void One_thread_can_wait_for_all_that_was_asked_for()
    {
        using var go = new ManualResetEventSlim();
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = s_pages.Fill(engine, 10);
        disk.Before = what => { if (what == "sync") go.Wait(); };
        var first = engine.BeginSync();
        s_pages.Put(engine, pool, 3, 99);
        var others = Enumerable.Range(0, 8).Select(_ => engine.BeginSync()).ToArray();
        Assert.False(engine.TryEndSync(first, out _));
        go.Set();
        Assert.Equal(TmemStatus.Ok, engine.EndSync(others[^1]));
        // In order: the last one's answer covers all.
        Assert.All([first, .. others],
            ticket => Assert.True(engine.TryEndSync(ticket, out var status) && status == TmemStatus.Ok));
        // The first may have begun before the others asked.
        Assert.InRange(engine.Statistics().Durability.Checkpoints, 1, 2);
        using var again = Open(new SimulatedDisk(disk.Contents));
        Assert.Equal(99, s_pages.Value(again, pool, 3));
    }

    [Fact]
    public void A_ticket_of_a_failed_sync_is_answered_by_a_later_one_that_succeeds()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        s_pages.Fill(engine, 10);
        disk.Fails = what => what == "sync" ? LibC.EIO : 0;
        var ticket = engine.BeginSync();
        Assert.Equal(TmemStatus.DiskError, engine.EndSync(ticket));
        disk.Fails = null;
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(TmemStatus.Ok, engine.EndSync(ticket));
        using var without = Engines.Anonymous();
        Assert.True(without.TryEndSync(without.BeginSync(), out var status) && status == TmemStatus.Ok);
    }

    [Fact]
    public void A_sync_takes_no_state_from_within_a_change_of_records()
    {
        using var engine = Open(new SimulatedDisk());
        s_pages.Fill(engine, 3000);
        using var underWay = new ManualResetEventSlim();
        var (isChanging, wasWithin) = (false, false);
        engine.Checkpoint!.OnStep = step =>
        {
            if (step == CheckpointStep.Round) underWay.Set();
            else if (step == CheckpointStep.Standstill) wasWithin |= Volatile.Read(ref isChanging);
        };
        SyncTicket ticket;
        lock (engine.RecordsLock)
        {
            Volatile.Write(ref isChanging, true);
            ticket = engine.BeginSync();
            Assert.True(underWay.Wait(TimeSpan.FromMinutes(1)));
            // A sync that does not wait for the lock reaches its standstill by now.
            Thread.Sleep(100);
            Volatile.Write(ref isChanging, false);
        }
        Assert.Equal(TmemStatus.Ok, engine.EndSync(ticket));
        Assert.False(wasWithin);
    }

    [Fact]
    public void Others_go_on_while_pages_are_copied()
    {
        using var engine = Open(new SimulatedDisk());
        var pool = s_pages.Fill(engine, 3000);
        var done = 0L;
        var rounds = 0;
        var held = 0L;
        engine.Checkpoint!.OnStep = step =>
        {
            if (step == CheckpointStep.Standstill)
            {
                var now = Interlocked.Read(ref done);
                Thread.Sleep(50);
                held = Interlocked.Read(ref done) - now;
                return;
            }
            if (step != CheckpointStep.Round) return;
            rounds++;
            var before = Interlocked.Read(ref done);
            SpinWait.SpinUntil(() => Interlocked.Read(ref done) >= before + 200);
        };
        var stop = false;
        var worker = new Thread(() =>
        {
            var page = new byte[Pages.Size];
            for (uint i = 0; !Volatile.Read(ref stop); i = (i + 1) % 3000)
            {
                Assert.Equal(TmemStatus.Ok, engine.Client(s_client).Get(pool, new ObjectId(1), i, page));
                if (i % 4 == 0) s_pages.Put(engine, pool, i, (int)i);
                Interlocked.Increment(ref done);
            }
        });
        worker.Start();
        var status = engine.Sync();
        Volatile.Write(ref stop, true);
        worker.Join();
        // The last sync is made when the engine is disposed of, and must not wait for a worker that has ended.
        engine.Checkpoint.OnStep = null;
        Assert.Equal(TmemStatus.Ok, status);
        Assert.True(rounds >= 1, "nothing was copied before the last round; the test tests nothing");
        // A put past its last latch may still be counted; no other gets through its latch.
        Assert.InRange(held, 0, 1);
    }

    [Fact]
    public void The_standstill_copies_little()
    {
        using var engine = Open(new SimulatedDisk());
        s_pages.Fill(engine, 3000);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.InRange(engine.Checkpoint!.PagesHeld, 0, 300);
        Assert.True(engine.Checkpoint.Pages > 1000);
    }

    [Theory]
    [InlineData("write")]
    [InlineData("sync")]
    [InlineData("punch")]
    public void An_error_is_an_answer_and_all_is_tried_again(string fails)
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = s_pages.Fill(engine, 100);
        for (var skip = 0; skip < 12; skip++)
        {
            s_pages.Put(engine, pool, (uint)skip, 1000 + skip);
            engine.Client(s_client).FlushPage(pool, new ObjectId(1), (uint)(40 + skip));
            // One failure, each time a little later in the checkpoint or after it.
            var left = skip % 4;
            disk.Fails = what => what == fails && Interlocked.Decrement(ref left) == -1 ? LibC.EIO : 0;
            var status = engine.Sync();
            disk.Fails = null;
            if (status != TmemStatus.Ok)
            {
                Assert.Equal(TmemStatus.DiskError, status);
                status = engine.Sync();
            }
            Assert.Equal(TmemStatus.Ok, status);
            var moment = disk.Now;
            for (var cut = 0; cut < 6; cut++)
            {
                using var again = Open(new SimulatedDisk(disk.AfterPowerCut(moment, new Random(cut))));
                Engines.AssertSound(again);
                for (var i = 0; i <= skip; i++)
                {
                    Assert.Equal(1000 + i, s_pages.Value(again, pool, (uint)i));
                    Assert.Equal(-1, s_pages.Value(again, pool, (uint)(40 + i)));
                }
            }
        }
    }

    [Fact]
    public void A_full_disk_is_an_answer_and_the_memory_goes_on()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = s_pages.Fill(engine, 200);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        disk.Size = disk.UsedBytes + (100 << 10);
        for (uint i = 0; i < 200; i++) s_pages.Put(engine, pool, i, (int)i + 5000);
        Assert.Equal(TmemStatus.DiskFull, engine.Sync());
        Assert.Equal(TmemStatus.DiskFull, engine.Sync());
        Assert.True(engine.Statistics().Durability is { LastFailed: true, Failures: >= 2, BytesBehind: > 100 << 10 });
        Assert.Equal(5007, s_pages.Value(engine, pool, 7));
        s_pages.Put(engine, pool, 7, 1);
        using (var old = Open(new SimulatedDisk(disk.Contents))) AssertFilled(old, pool, 200);
        disk.Size = long.MaxValue;
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        using var again = Open(new SimulatedDisk(disk.Contents));
        Assert.Equal(1, s_pages.Value(again, pool, 7));
        Assert.Equal(5199, s_pages.Value(again, pool, 199));
    }

    [Fact]
    public void Changes_are_made_durable_after_a_while_unasked()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk, TimeSpan.FromMilliseconds(20));
        var pool = s_pages.Fill(engine, 100);
        Assert.True(SpinWait.SpinUntil(() => DurablePages() == 100, TimeSpan.FromSeconds(60)),
            $"{DurablePages()} pages are durable");
        using var again = Open(new SimulatedDisk(disk.Contents));
        AssertFilled(again, pool, 100);

        long DurablePages()
        {
            using var look = Open(new SimulatedDisk(disk.Contents));
            return look.Client(s_client).PoolInfo(pool, out var info) == TmemStatus.Ok ? info!.Statistics.Pages : 0;
        }
    }

    private static TmemEngine Open(SimulatedDisk disk, TimeSpan interval = default)
    {
        var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 16 * Engines.Mebi, ImageFile = disk, SyncInterval = interval, CompactInBackground = false,
        });
        Trackers.AssertIs(engine);
        return engine;
    }

    private static void AssertFilled(TmemEngine engine, PoolId pool, int pages)
    {
        Engines.AssertSound(engine);
        s_pages.AssertHolds(engine, pool, pages);
    }
}
