using Tmds.Linux;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests;

/// <summary>
/// A page goes without a look at its slot, and the slot waits a while before it is free: nothing may tell the difference.
/// </summary>
public sealed class WaitingSlotsTests
{
    private const uint Many = 2_000;
    private static readonly ObjectId s_object = new(5);

    /// <summary>Precompressed, so that all have one length and one class.</summary>
    private static readonly byte[] s_stored = Pages.Random(1, 1000);
    private static readonly int s_class = SizeClasses.For(1000 + SlotHeader.Bytes);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public unsafe void Nothing_of_a_slot_is_needed_to_let_its_page_go(bool isOverwritten)
    {
        using var engine = Engines.Still();
        var (client, pool) = Fill(engine);
        for (uint i = 100; i < 104; i++)
        {
            // Whatever is read from here is wrong.
            new Span<byte>(engine.Slabs.At(SlotOf(engine, pool, i)), SizeClasses.Size(s_class)).Fill(0xA5);
            Assert.Equal(TmemStatus.Ok, isOverwritten ? client.Put(pool, s_object, i, Pages.Random(2, 500))
                : client.FlushPage(pool, s_object, i));
        }
        var figures = Engines.Figures(client, pool);
        Assert.Equal(isOverwritten ? Many : Many - 4, figures.Pages);
        Assert.Equal((Many - 4) * 1000 + (isOverwritten ? 4 * 500 : 0), figures.CompressedBytes);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void The_slot_that_began_to_wait_last_is_taken_first()
    {
        using var engine = Engines.Still();
        var (client, pool) = Fill(engine);
        ulong[] slots = [SlotOf(engine, pool, 7), SlotOf(engine, pool, 1500), SlotOf(engine, pool, 800)];
        foreach (var index in (uint[])[7, 1500, 800]) client.FlushPage(pool, s_object, index);
        Assert.Equal(3, engine.Slabs.Waiting(SpanKind.PersistentPages, s_class));
        for (uint i = 0; i < 3; i++)
        {
            client.Put(pool, s_object, Many + i, s_stored);
            Assert.Equal(slots[2 - i], SlotOf(engine, pool, Many + i));
        }
        Assert.Equal(0, engine.Slabs.Waiting(SpanKind.PersistentPages, s_class));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void No_more_than_eight_wait_nor_more_than_a_sixty_fourth()
    {
        using var engine = Engines.Still();
        var (client, pool) = Fill(engine);
        var most = 0;
        for (var left = Many; left > 0; left--)
        {
            client.FlushPage(pool, s_object, left - 1);
            var waiting = engine.Slabs.Waiting(SpanKind.PersistentPages, s_class);
            Assert.InRange(waiting, 0, Math.Min(8, (int)left / 64));
            most = Math.Max(most, waiting);
        }
        Assert.Equal(8, most);
        // All memory has come back: nothing waits in an empty class.
        Assert.Equal(0, engine.Statistics().PageSpanBytes);
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Compaction_and_the_verifier_find_the_slots_that_wait()
    {
        foreach (var look in (Action<TmemEngine>[])[engine => engine.Compact(), engine => engine.Verify(quiescent: true)])
        {
            using var engine = Engines.Still();
            var (client, pool) = Fill(engine);
            for (uint i = 0; i < 8; i++) client.FlushPage(pool, s_object, i * 100);
            Assert.Equal(8, engine.Slabs.Waiting(SpanKind.PersistentPages, s_class));
            look(engine);
            Assert.Equal(0, engine.Slabs.Waiting(SpanKind.PersistentPages, s_class));
            Engines.AssertSound(engine);
        }
    }

    [Fact]
    public void An_attach_frees_the_slots_that_waited()
    {
        var memory = RegionMemory.CreateDescriptor();
        PoolId pool;
        using (var engine = Open(LibC.dup(memory)))
        {
            pool = Fill(engine).Pool;
            for (uint i = 0; i < 8; i++) engine.Client(new TmemClientId(1)).FlushPage(pool, s_object, i * 100);
            Assert.Equal(8, engine.Slabs.Waiting(SpanKind.PersistentPages, s_class));
        }
        using (var engine = Open(memory))
        {
            Engines.AssertSound(engine);
            var client = engine.Client(new TmemClientId(1));
            Assert.Equal(Many - 8, Engines.Figures(client, pool).Pages);
            for (uint i = 0; i < Many; i++)
                Assert.Equal(i < 800 && i % 100 == 0 ? TmemStatus.Miss : TmemStatus.Ok,
                    client.Get(pool, s_object, i, new byte[Pages.Size], out _));
        }
    }

    /// <summary>Two leaves name one slot: the verifier says so, and flushing both must not free the slot twice.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    public unsafe void A_slot_of_two_leaves_is_freed_once(uint between)
    {
        using var engine = Engines.Still();
        var (client, pool) = Fill(engine);
        *Engines.Leaf(engine, pool, s_object, 70) = *Engines.Leaf(engine, pool, s_object, 71);
        Assert.Contains("page 7", Assert.Single(engine.Verify().Problems,
            p => p.Contains("of its own", StringComparison.Ordinal)), StringComparison.Ordinal);
        client.FlushPage(pool, s_object, 71);
        for (uint i = 0; i < between; i++) client.FlushPage(pool, s_object, 500 + i);
        client.FlushPage(pool, s_object, 70);
        var slots = new HashSet<ulong>();
        for (uint i = 0; i < 40; i++)
        {
            client.Put(pool, s_object, Many + i, s_stored);
            Assert.True(slots.Add(SlotOf(engine, pool, Many + i)), "two new pages lie in one slot");
        }
    }

    private static TmemEngine Open(int memory) => TmemEngine.Open(
        new EngineOptions { CapacityBytes = 64 * Engines.Mebi, RegionDescriptor = memory, CompactInBackground = false });

    private static (TmemClient Client, PoolId Pool) Fill(TmemEngine engine)
    {
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, PoolFlags.Persistent | PoolFlags.Precompressed);
        for (uint i = 0; i < Many; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, s_object, i, s_stored));
        return (client, pool);
    }

    private static unsafe ulong SlotOf(TmemEngine engine, PoolId pool, uint index) =>
        PageDescriptor.Slot(*Engines.Leaf(engine, pool, s_object, index));
}
