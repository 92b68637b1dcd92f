using Tmds.Linux;
using Tmem.Engine.Durability;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests.Durability;

/// <summary>What a sync promises, whom it holds up, and what it does when the disk refuses.</summary>
public sealed class CheckpointTests
{
    private static readonly ClientId s_client = new(1);

    [Fact]
    public void ClosingBringsEverythingBackWithoutASync()
    {
        var disk = new SimulatedDisk();
        PoolId pool;
        using (var engine = Open(disk)) pool = Fill(engine, 600);
        // The file is the image alone again: what an earlier version would have left.
        using var again = Open(new SimulatedDisk(disk.Contents));
        Assert.Equal(disk.Length, again.Memory.Length);
        AssertFilled(again, pool, 600);
    }

    [Fact]
    public void WithoutAFileASyncIsDone()
    {
        using var engine = Engines.Anonymous();
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(new DurabilityStatistics { Tracking = ChangeTracking.None }, engine.Statistics().Durability);
    }

    [Fact]
    public unsafe void ACheckpointFreesNoSlotThatWaits()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = Fill(engine, 3000);
        for (uint i = 0; i < 3000; i += 100) engine.Client(s_client).FlushPage(pool, new ObjectId(1), i);
        var before = Waiting();
        Assert.True(before > 0, "no slot waits; the test tests nothing");
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(before, Waiting());
        Assert.InRange(engine.Checkpoint!.PagesHeld, 0, 4);
        // They are free to whoever opens the image.
        using var again = Open(new SimulatedDisk(disk.Contents));
        Engines.AssertSound(again);
        Assert.Equal(3000 - 30, Engines.Figures(again.Client(s_client), pool).Pages);

        int Waiting() => Enumerable.Range(0, SizeClasses.Count).Sum(sizeClass => engine.Slabs.Waiting(SpanKind.PersistentPages, sizeClass));
    }

    [Theory]
    [InlineData(10, 0)]
    [InlineData(int.MaxValue, 1)]
    public unsafe void WhoNeverRestsHoldsNobodyUpForEver(int changes, int unquiet)
    {
        var notices = new List<string>();
        var looks = 0;
        var disk = new SimulatedDisk();
        using var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 4 * Engines.Mebi, ImageFile = disk, SyncInterval = TimeSpan.Zero, CompactInBackground = false,
            Notice = notice => { lock (notices) notices.Add(notice.Sentence); },
        });
        Fill(engine, 10);
        // A word that no latch protects; nobody reads it.
        engine.Checkpoint!.OnStep = step => { if (step == CheckpointStep.Look && looks++ < changes) ++*(long*)(engine.Memory.Start + 2048); };
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.InRange(looks, 2, 64);
        engine.Checkpoint.OnStep = null;
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(unquiet, engine.Statistics().Durability.Unquiet);
        lock (notices) Assert.Equal(unquiet, notices.Count(one => one.Contains("quiet", StringComparison.Ordinal)));
    }

    [Fact]
    public void OnlyWhatChangedIsWritten()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = Fill(engine, 2000);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        WaitForApply(engine);
        var before = engine.Statistics().Durability.Pages;
        var moment = disk.Now;
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(moment, disk.Now);
        Put(engine, pool, 5, 77);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        // The new slot, the old one, the leaf, the entry of the span.
        Assert.InRange(engine.Statistics().Durability.Pages - before, 1, 12);
    }

    [Fact]
    public void WhatWasFlushedTakesNoDisk()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = Fill(engine, 2000);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        WaitForApply(engine);
        var full = disk.Contents.PagesBelow(engine.Memory.Length);
        Assert.InRange(full, 500, 2000);
        engine.Client(s_client).DestroyPool(pool);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        WaitForApply(engine);
        // What is left: tables, and spans kept ready for the next taker.
        Assert.InRange(disk.Contents.PagesBelow(engine.Memory.Length), 1, full / 4);
    }

    /// <summary>
    /// A hole is no write to the kernel: memory that stood ready when a checkpoint was made, and is given back before the next, comes back with what was
    /// in it, for the slots of a span that is of another kind by then.
    /// </summary>
    [Fact]
    public void TheImageIsTheMemoryWhereItWasPunchedToo()
    {
        var memory = RegionMemory.CreateDescriptor();
        var disk = new SimulatedDisk();
        using var engine = Open(disk, memory: memory);
        var pool = Fill(engine, 2000);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        engine.Client(s_client).DestroyPool(pool);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.NotEqual(0, engine.Statistics().ReadySpanBytes);
        engine.Compact();
        Assert.Equal(0, engine.Statistics().ReadySpanBytes);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        WaitForApply(engine);
        var (ours, theirs) = (new byte[4096], new byte[4096]);
        for (long at = 0; at < engine.Memory.Length; at += ours.Length)
        {
            unsafe { fixed (byte* p = ours) engine.Memory.Read(at, p, ours.Length); }
            disk.Contents.Read(at, theirs);
            Assert.True(ours.AsSpan().SequenceEqual(theirs), $"the image has something else at {at:x}");
        }
    }

    [Fact]
    public async Task CallersAtTheSameTimeShareOneCheckpoint()
    {
        using var reached = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = Fill(engine, 10);
        disk.Before = what => { if (what == "sync") { reached.Set(); go.Wait(); } };
        var first = Task.Factory.StartNew(engine.Sync, TaskCreationOptions.LongRunning);
        reached.Wait();
        // Under way already: it may have copied before this, so those who come now need another.
        Put(engine, pool, 3, 99);
        var others = Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(engine.Sync, TaskCreationOptions.LongRunning)).ToArray();
        while (engine.SyncsWaiting < 9) Thread.Sleep(1);
        Assert.DoesNotContain(others, one => one.IsCompleted);
        go.Set();
        Assert.All(await Task.WhenAll([first, .. others]), status => Assert.Equal(TmemStatus.Ok, status));
        Assert.Equal(2, engine.Statistics().Durability.Checkpoints);
        using var again = Open(new SimulatedDisk(disk.Contents));
        Assert.Equal(99, Value(again, pool, 3));
    }

    [Fact]
    public void OneThreadCanWaitForAllThatWasAskedFor()
    {
        using var go = new ManualResetEventSlim();
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = Fill(engine, 10);
        disk.Before = what => { if (what == "sync") go.Wait(); };
        var first = engine.BeginSync();
        Put(engine, pool, 3, 99);
        var others = Enumerable.Range(0, 8).Select(_ => engine.BeginSync()).ToArray();
        Assert.False(engine.TryEndSync(first, out _));
        go.Set();
        Assert.Equal(TmemStatus.Ok, engine.EndSync(others[^1]));
        // In their order: whoever has the last one's answer has all.
        Assert.All([first, .. others], ticket => Assert.True(engine.TryEndSync(ticket, out var status) && status == TmemStatus.Ok));
        // The first may have begun before the others asked.
        Assert.InRange(engine.Statistics().Durability.Checkpoints, 1, 2);
        using var again = Open(new SimulatedDisk(disk.Contents));
        Assert.Equal(99, Value(again, pool, 3));
    }

    [Fact]
    public void ATicketOfAFailedSyncIsAnsweredByALaterOneThatSucceeds()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        Fill(engine, 10);
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
    public void OthersGoOnWhilePagesAreCopied()
    {
        using var engine = Open(new SimulatedDisk());
        var pool = Fill(engine, 3000);
        var done = 0L;
        var rounds = 0;
        var held = 0L;
        engine.Checkpoint!.OnStep = step =>
        {
            if (step == CheckpointStep.Standstill)
            {
                // Whoever was at it comes to a latch; after that nobody gets on.
                Thread.Sleep(50);
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
                if (i % 4 == 0) Put(engine, pool, i, (int)i);
                Interlocked.Increment(ref done);
            }
        });
        worker.Start();
        var status = engine.Sync();
        Volatile.Write(ref stop, true);
        worker.Join();
        Assert.Equal(TmemStatus.Ok, status);
        Assert.True(rounds >= 1, "nothing was copied before the last round; the test tests nothing");
        Assert.Equal(0, held);
    }

    [Fact]
    public void TheStandstillCopiesLittle()
    {
        using var engine = Open(new SimulatedDisk());
        Fill(engine, 3000);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.InRange(engine.Checkpoint!.PagesHeld, 0, 300);
        Assert.True(engine.Checkpoint.Pages > 1000);
    }

    [Theory]
    [InlineData("write")]
    [InlineData("sync")]
    [InlineData("punch")]
    public void AnErrorIsAnAnswerAndAllIsTriedAgain(string fails)
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = Fill(engine, 100);
        for (var skip = 0; skip < 12; skip++)
        {
            Put(engine, pool, (uint)skip, 1000 + skip);
            engine.Client(s_client).FlushPage(pool, new ObjectId(1), (uint)(40 + skip));
            // One failure, each time a little later in the checkpoint or in what follows it.
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
                    Assert.Equal(1000 + i, Value(again, pool, (uint)i));
                    Assert.Equal(-1, Value(again, pool, (uint)(40 + i)));
                }
            }
        }
    }

    [Fact]
    public void AFullDiskIsAnAnswerAndTheMemoryGoesOn()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = Fill(engine, 200);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        disk.Size = disk.UsedBytes + (100 << 10);
        for (uint i = 0; i < 200; i++) Put(engine, pool, i, (int)i + 5000);
        Assert.Equal(TmemStatus.DiskFull, engine.Sync());
        Assert.Equal(TmemStatus.DiskFull, engine.Sync());
        Assert.True(engine.Statistics().Durability is { LastFailed: true, Failures: >= 2, BytesBehind: > 100 << 10 });
        Assert.Equal(5007, Value(engine, pool, 7));
        Put(engine, pool, 7, 1);
        using (var old = Open(new SimulatedDisk(disk.Contents))) AssertFilled(old, pool, 200);
        disk.Size = long.MaxValue;
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        using var again = Open(new SimulatedDisk(disk.Contents));
        Assert.Equal(1, Value(again, pool, 7));
        Assert.Equal(5199, Value(again, pool, 199));
    }

    [Fact]
    public void ChangesAreMadeDurableAfterAWhileUnasked()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk, TimeSpan.FromMilliseconds(20));
        var pool = Fill(engine, 100);
        var moment = disk.Now;
        // Two syncs a checkpoint: the second one begun after the pages were put is over.
        SpinWait.SpinUntil(() => disk.Count("sync", moment) >= 1 && engine.Statistics().Durability.Checkpoints >= 2, TimeSpan.FromSeconds(2));
        SpinWait.SpinUntil(() => { using var look = Open(new SimulatedDisk(disk.Contents)); return Engines.Figures(look.Client(s_client), pool).Pages == 100; }, TimeSpan.FromSeconds(30));
        using var again = Open(new SimulatedDisk(disk.Contents));
        AssertFilled(again, pool, 100);
    }

    [Fact]
    public void ASuccessorInTheSameMemoryBringsTheImageUpToDate()
    {
        var disk = new SimulatedDisk();
        var memory = RegionMemory.CreateDescriptor();
        using var dead = Open(disk, memory: LibC.dup(memory));
        var pool = Fill(dead, 500);
        Assert.Equal(TmemStatus.Ok, dead.Sync());
        WaitForApply(dead);
        for (uint i = 0; i < 100; i++) Put(dead, pool, i, (int)i + 9000);
        dead.Client(s_client).FlushPage(pool, new ObjectId(1), 499);

        // Nothing of that was synced, and the one who knows what was written is gone.
        var after = new SimulatedDisk(disk.Contents);
        using (var successor = Open(after, memory: memory))
        {
            Assert.True(successor.Attached);
            Assert.Equal(9007, Value(successor, pool, 7));
            Assert.Equal(TmemStatus.Ok, successor.Sync());
            Assert.InRange(successor.Statistics().Durability.Pages, 1, 400);
            using var again = Open(new SimulatedDisk(after.Contents));
            Engines.AssertSound(again);
            Assert.Equal(9099, Value(again, pool, 99));
            Assert.Equal(100, Value(again, pool, 100));
            Assert.Equal(-1, Value(again, pool, 499));
        }
    }

    [Fact]
    public unsafe void MemoryThatWasHalfLoadedIsLoadedAgain()
    {
        var disk = new SimulatedDisk();
        PoolId pool;
        using (var engine = Open(disk)) pool = Fill(engine, 300);
        var memory = RegionMemory.CreateDescriptor();
        Assert.Equal(0, LibC.ftruncate(memory, disk.Length));
        var rubbish = stackalloc byte[4096];
        new Span<byte>(rubbish, 4096).Fill(7);
        Assert.Equal(4096, (long)LibC.pwrite(memory, rubbish, 4096, 1 << 20));
        using var again = Open(new SimulatedDisk(disk.Contents), memory: memory);
        AssertFilled(again, pool, 300);
    }

    [Fact]
    public unsafe void ACommitRecordCountsForItsOwnChunksAlone()
    {
        var disk = new SimulatedDisk();
        PoolId pool;
        using (var engine = Open(disk)) pool = Fill(engine, 10);
        var ends = disk.Contents.Length;
        var journals = new[] { 1, 2 }.Select(value =>
        {
            var one = new SimulatedDisk(disk.Contents);
            using var engine = Open(one);
            Put(engine, pool, 3, value);
            Assert.Equal(TmemStatus.Ok, engine.Sync());
            return one.Contents;
        }).ToList();
        foreach (var head in journals)
        {
            // Both are number 1, and so are their chunks; only the hash of hashes tells.
            var mixed = journals[0].Copy();
            var page = new byte[4096];
            head.Read(ends, page);
            mixed.Write(ends, page);
            using var journal = new Journal(new SimulatedDisk(mixed), ends);
            Assert.Equal(0, journal.Find(out var complete));
            Assert.Equal(head == journals[0], complete);
        }
    }

    [Fact]
    public void TheImageOfAnotherRegionIsRefused()
    {
        var disk = new SimulatedDisk();
        Open(disk, capacity: 32).Dispose();
        var memory = RegionMemory.CreateDescriptor();
        using var engine = Open(new SimulatedDisk(), memory: LibC.dup(memory));
        Assert.Contains("another region", Assert.Throws<RegionException>(() => Open(disk, memory: memory)).Message, StringComparison.Ordinal);
    }

    private static TmemEngine Open(SimulatedDisk disk, TimeSpan interval = default, int memory = -1, int capacity = 16)
    {
        var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = capacity * Engines.Mebi, ImageFile = disk, SyncInterval = interval, RegionDescriptor = memory, CompactInBackground = false,
        });
        Trackers.AssertIs(engine);
        return engine;
    }

    private static PoolId Fill(TmemEngine engine, int pages)
    {
        var pool = Engines.Pool(engine.Client(s_client));
        for (uint i = 0; i < pages; i++) Put(engine, pool, i, (int)i);
        return pool;
    }

    private static void Put(TmemEngine engine, PoolId pool, uint index, int value)
    {
        var page = Pages.Text(value);
        BitConverter.TryWriteBytes(page, value);
        Assert.Equal(TmemStatus.Ok, engine.Client(s_client).Replace(pool, new ObjectId(1), index, page));
    }

    /// <summary>The value that a page was put with; -1 if there is none.</summary>
    private static int Value(TmemEngine engine, PoolId pool, uint index)
    {
        var page = new byte[Pages.Size];
        if (engine.Client(s_client).Get(pool, new ObjectId(1), index, page) != TmemStatus.Ok) return -1;
        var value = BitConverter.ToInt32(page);
        var expected = Pages.Text(value);
        BitConverter.TryWriteBytes(expected, value);
        Assert.Equal(expected, page);
        return value;
    }

    private static void AssertFilled(TmemEngine engine, PoolId pool, int pages)
    {
        Assert.True(engine.Attached);
        Engines.AssertSound(engine);
        for (var i = 0; i < pages; i++) Assert.Equal(i, Value(engine, pool, (uint)i));
    }

    /// <summary>A second sync begins when the first has been written in place.</summary>
    private static void WaitForApply(TmemEngine engine) => Assert.Equal(TmemStatus.Ok, engine.Sync());
}
