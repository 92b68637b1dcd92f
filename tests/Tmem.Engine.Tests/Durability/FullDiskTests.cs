using Tmds.Linux;
using Tmem.Engine.Durability;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests.Durability;

/// <summary>
/// A disk that fills: promises have their blocks reserved, a failed sync releases its blocks, and the engine recovers by itself
/// when there is room again.
/// </summary>
public sealed class FullDiskTests
{
    private const int Many = 800;
    private static readonly TmemClientId s_client = new(1);
    private static readonly ValuedPages s_pages = new(Pages.Random);

    [Fact]
    public void A_sync_that_failed_keeps_nothing_of_the_disk()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = s_pages.Fill(engine, 20);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        var used = disk.Contents.PagesBelow(engine.Memory.Length);
        disk.Size = disk.UsedBytes + 1 * Engines.Mebi;
        s_pages.Fill(engine, pool, 20, Many);
        Assert.Equal(TmemStatus.DiskFull, engine.Sync());
        Assert.Equal(used * 4096, disk.UsedBytes);
        // The pages that would have needed the room are gone, and so is the need.
        for (uint i = 20; i < Many; i++) engine.Client(s_client).FlushPage(pool, new ObjectId(1), i);
        engine.Compact();
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        AssertHolds(disk.Contents, pool, 20);
    }

    /// <summary>
    /// A flush leaves up to 2 MiB of memory ready for the next pages, with old bytes in it: no checkpoint writes that.
    /// </summary>
    [Fact]
    public void Removing_what_was_stored_is_as_good_as_room_on_the_disk()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk, capacity: 256);
        var pool = s_pages.Fill(engine, 5);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        disk.Size = disk.UsedBytes + 8 * Engines.Mebi;
        s_pages.Fill(engine, pool, 5, Many);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        // Applying the journal releases its blocks.
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        disk.Size = disk.UsedBytes + Engines.Mebi;
        s_pages.Fill(engine, pool, Many, 3 * Many);
        Assert.Equal(TmemStatus.DiskFull, engine.Sync());
        for (uint i = 5; i < 3 * Many; i++) engine.Client(s_client).FlushPage(pool, new ObjectId(1), i);
        Assert.InRange(engine.Statistics().ReadySpanBytes, Engines.Mebi, 2 * Engines.Mebi);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(0, engine.Statistics().ReadySpanBytes);
        AssertHolds(disk.Contents, pool, 5);
    }

    /// <summary>The journal would fit, the image would not: a sync promises nothing that it cannot keep.</summary>
    [Fact]
    public void What_is_promised_has_its_place_in_the_image()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = s_pages.Fill(engine, 5);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        s_pages.Fill(engine, pool, 5, Many);
        var stored = engine.Statistics().UsedBytes;
        disk.Size = disk.UsedBytes + stored / 2 * 3;
        Assert.Equal(TmemStatus.DiskFull, engine.Sync());
        var full = new SimulatedDisk(disk.Contents) { Size = disk.Size };
        using (var now = Open(full)) Assert.Equal(5, Engines.Figures(now.Client(s_client), pool).Pages);
        disk.Size += stored;
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        // No other writer can take it away now.
        disk.Size = disk.UsedBytes;
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.False(engine.Statistics().Durability.LastFailed);
        AssertHolds(disk.Contents, pool, Many);
    }

    /// <summary>As a copy to a smaller disk leaves it, or a file system that needs new blocks for what it had promised.</summary>
    [Theory]
    [InlineData(4096)]
    [InlineData(100 << 10)]
    public void A_journal_is_carried_out_with_no_more_room_than_it_holds(int room)
    {
        var (left, pool) = WithAJournal();
        var disk = new SimulatedDisk(left) { CanReserve = false };
        disk.Size = disk.UsedBytes + room;
        using (var engine = Open(disk))
        {
            Assert.True(engine.Statistics().Durability.Failures == 0);
            Assert.Equal(TmemStatus.Ok, engine.Sync());
        }
        Assert.True(disk.Count("sync") > 3, "there was room for all of it; the test tests nothing");
        AssertHolds(disk.Contents, pool, Many);
        var random = new Random(room);
        for (var cut = 0; cut < 12; cut++) AssertHolds(disk.AfterPowerCut(random.Next(disk.Now + 1), random), pool, Many);
    }

    [Fact]
    public void A_store_is_served_though_its_journal_cannot_be_carried_out()
    {
        var (left, pool) = WithAJournal();
        var disk = new SimulatedDisk(left) { CanReserve = false };
        disk.Fails = what => what is "write" or "punch" or "length" ? LibC.ENOSPC : 0;
        using var engine = Open(disk);
        s_pages.AssertHolds(engine, pool, Many);
        Assert.Equal(TmemStatus.DiskFull, engine.Sync());
        disk.Fails = null;
        s_pages.Put(engine, pool, 3, 77);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        using var again = Open(new SimulatedDisk(disk.Contents));
        Assert.Equal(77, s_pages.Value(again, pool, 3));
        Assert.Equal(Many - 1, s_pages.Value(again, pool, Many - 1));
    }

    [Fact]
    public void A_full_disk_gets_better_by_itself()
    {
        var notices = new List<TmemNotice>();
        var disk = new SimulatedDisk();
        using var engine = Open(disk, notice: one => { lock (notices) notices.Add(one); });
        var pool = s_pages.Fill(engine, 20);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        disk.Size = disk.UsedBytes;
        s_pages.Fill(engine, pool, 20, 300);
        for (var i = 0; i < 3; i++) Assert.Equal(TmemStatus.DiskFull, engine.Sync());
        disk.Size = long.MaxValue;
        // No sync is requested, and there is no interval.
        Assert.True(SpinWait.SpinUntil(() => !engine.Statistics().Durability.LastFailed, TimeSpan.FromSeconds(60)),
            "a failed sync was not tried again");
        Assert.True(SpinWait.SpinUntil(() => { lock (notices) return notices.Count >= 2; }, TimeSpan.FromSeconds(60)));
        AssertHolds(disk.Contents, pool, 300);
        lock (notices)
        {
            Assert.Equal(2, notices.Count);
            Assert.True(notices[0] is { IsProblem: true, IsFailure: true }
                && notices[0].Sentence.Contains("cannot be written: No space left", StringComparison.Ordinal));
            Assert.True(notices[1] is { IsProblem: false, IsFailure: false }
                && notices[1].Sentence.Contains("written again", StringComparison.Ordinal));
        }
    }

    /// <summary>The next attach rebuilds what this one has made: neither a sync nor the close writes it.</summary>
    [Fact]
    public void A_store_that_was_merely_opened_needs_no_room_to_be_closed()
    {
        var disk = new SimulatedDisk();
        PoolId pool;
        using (var engine = Open(disk))
        {
            pool = s_pages.Fill(engine, Many);
            for (uint i = 20; i < Many; i += 2) engine.Client(s_client).FlushPage(pool, new ObjectId(1), i);
            s_pages.Fill(engine, pool, 0, Many);
        }
        var full = new SimulatedDisk(disk.Contents);
        full.Size = full.UsedBytes;
        using (var engine = Open(full))
        {
            s_pages.AssertHolds(engine, pool, Many);
            Assert.Equal(TmemStatus.Ok, engine.Sync());
        }
        Assert.Equal((0, 0), (full.Count("write"), full.Count("allocate")));
        AssertHolds(full.Contents, pool, Many);
        // A changed region needs room for the changes, and for what the attach has made differently from the image.
        using var changed = Open(full);
        s_pages.Put(changed, pool, 3, 77);
        Assert.Equal(TmemStatus.DiskFull, changed.Sync());
        full.Size += 100 << 10;
        Assert.Equal(TmemStatus.Ok, changed.Sync());
        using var again = Open(new SimulatedDisk(full.Contents));
        Assert.Equal(77, s_pages.Value(again, pool, 3));
    }

    /// <summary>The keeper holds the memory: the state of the file is no reason not to serve it.</summary>
    [Theory]
    [InlineData("full, with a journal")]
    [InlineData("fails")]
    [InlineData("cut short")]
    [InlineData("emptied")]
    [InlineData("something else")]
    [InlineData("another region")]
    public void A_successor_serves_from_memory_whatever_the_file_holds(string what)
    {
        var disk = new SimulatedDisk();
        var memory = RegionMemory.CreateDescriptor();
        using var dead = Open(disk, LibC.dup(memory));
        var pool = s_pages.Fill(dead, 600);
        // It dies before it applies its journal, or after.
        var withJournal = what == "full, with a journal";
        using var reached = new ManualResetEventSlim();
        dead.Checkpoint!.OnStep = step =>
        {
            if (step != CheckpointStep.Apply || !withJournal) return;
            disk.Fails = _ => LibC.EIO;
            reached.Set();
        };
        Assert.Equal(TmemStatus.Ok, dead.Sync());
        if (withJournal) reached.Wait();
        else Assert.Equal(TmemStatus.Ok, dead.Sync());
        s_pages.Put(dead, pool, 5, 99);
        var length = dead.Memory.Length;
        var contents = disk.Contents;
        if (what == "cut short") contents.SetLength(50_000);
        if (what == "emptied") contents.SetLength(0);
        if (what == "something else") contents.Write(0, Pages.Random(1));
        if (what == "another region")
        {
            var other = new SimulatedDisk();
            Open(other, capacity: 32).Dispose();
            contents = other.Contents;
        }
        var found = new SimulatedDisk(contents);
        if (withJournal) found.Size = 0;
        if (what == "fails") found.Fails = _ => LibC.EIO;
        using var successor = Open(found, memory, isSuccessor: true);
        Assert.True(successor.Attached);
        Assert.Equal(99, s_pages.Value(successor, pool, 5));
        if (withJournal || what == "fails") Assert.NotEqual(TmemStatus.Ok, successor.Sync());
        found.Size = long.MaxValue;
        found.Fails = null;
        Assert.Equal(TmemStatus.Ok, successor.Sync());
        Assert.True(found.Length >= length);
        using var again = Open(new SimulatedDisk(found.Contents));
        Engines.AssertSound(again);
        Assert.Equal(99, s_pages.Value(again, pool, 5));
        Assert.Equal(599, s_pages.Value(again, pool, 599));
    }

    [Fact]
    public void Too_little_disk_for_a_full_store_is_said_at_the_start()
    {
        var notices = new List<TmemNotice>();
        using (Open(new SimulatedDisk { Size = 64 * Engines.Mebi }, notice: notices.Add)) { }
        Assert.Empty(notices);
        using (Open(new SimulatedDisk { Size = 20 * Engines.Mebi }, notice: notices.Add)) { }
        Assert.True(Assert.Single(notices).IsProblem);
        Assert.Contains("needs 32", notices[0].Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void Less_capacity_than_is_stored_is_said()
    {
        var notices = new List<TmemNotice>();
        var disk = new SimulatedDisk();
        PoolId pool, transient;
        using (var engine = Open(disk))
        {
            pool = s_pages.Fill(engine, 4000);
            transient = Engines.Pool(engine.Client(s_client), PoolFlags.Shared);
            for (uint i = 0; i < 500; i++) engine.Client(s_client).Put(transient, new ObjectId(2), i, Pages.Text((int)i));
        }
        using var less = Open(disk, capacity: 4, notice: notices.Add);
        Assert.Contains(notices, one => one.IsProblem
            && one.Sentence.Contains("more than the capacity of 4 MiB", StringComparison.Ordinal));
        // What may go has gone, what must stay is there, and nothing new is taken.
        Assert.Equal(0, Engines.Figures(less.Client(s_client), transient).Pages);
        s_pages.AssertHolds(less, pool, 4000);
        Assert.Equal(TmemStatus.NoRoom, less.Client(s_client).Replace(pool, new ObjectId(3), 1, Pages.Random(1)));
    }

    /// <summary>The contents of a disk when a large checkpoint is durable and none of it applied.</summary>
    private static (SparseBytes Contents, PoolId Pool) WithAJournal()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(disk);
        var pool = s_pages.Fill(engine, 200);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        for (uint i = 0; i < 200; i += 2) engine.Client(s_client).FlushPage(pool, new ObjectId(1), i);
        s_pages.Fill(engine, pool, 0, Many);
        SparseBytes? journaled = null;
        engine.Checkpoint!.OnStep = step => { if (step == CheckpointStep.Apply) journaled ??= disk.Contents; };
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        return (journaled!, pool);
    }

    private static TmemEngine Open(SimulatedDisk disk, int memory = -1, bool isSuccessor = false, int capacity = 16,
        Action<TmemNotice>? notice = null) =>
        TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = capacity * Engines.Mebi, MaximumCapacityBytes = capacity == 32 ? 256 * Engines.Mebi
                : 0, ImageFile = disk, RegionDescriptor = memory,
            IsSuccessor = isSuccessor, SyncInterval = TimeSpan.Zero, CompactInBackground = false, Notice = notice,
        });

    private static void AssertHolds(SparseBytes contents, PoolId pool, int pages)
    {
        using var engine = Open(new SimulatedDisk(contents));
        Engines.AssertSound(engine);
        s_pages.AssertHolds(engine, pool, pages);
    }
}
