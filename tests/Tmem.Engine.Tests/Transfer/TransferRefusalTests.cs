using Tmem.Engine.Format;

namespace Tmem.Engine.Tests.Transfer;

/// <summary>
/// A stream that cannot be restored whole is refused by name and leaves nothing; what cannot be saved intact is not saved.
/// </summary>
public sealed class TransferRefusalTests
{
    private readonly ObjectId _object = new(1, 2, 3);

    [Fact]
    public void A_flipped_byte_anywhere_is_refused_and_leaves_nothing()
    {
        var saved = Saves.Small();
        using var engine = Used(saved, out var client, out var before);
        var seen = new HashSet<TransferStatus>();
        for (var at = 0; at < saved.Length; at++)
        {
            foreach (var flip in (byte[])[1, 0x80, 0xFF])
            {
                saved[at] ^= flip;
                var result = client.Restore(new MemoryStream(saved));
                saved[at] ^= flip;
                Assert.True(result.Status is not (TransferStatus.Ok or TransferStatus.Refused), $"byte {at}, {flip:x}: {result}");
                Assert.Empty(result.Pools);
                Assert.NotEmpty(result.Sentence);
                seen.Add(result.Status);
            }
            if (at % 500 == 0) AssertNothingLeft(engine, before);
        }
        AssertNothingLeft(engine, before);
        Assert.Superset(
            new HashSet<TransferStatus>([TransferStatus.NotASave, TransferStatus.UnknownVersion, TransferStatus.UnknownContent,
                TransferStatus.Damaged]), seen);
        Assert.Equal(TransferStatus.Ok, client.Restore(new MemoryStream(saved)).Status);
    }

    [Fact]
    public void A_stream_cut_short_anywhere_is_refused_and_leaves_nothing()
    {
        var saved = Saves.Small();
        using var engine = Used(saved, out var client, out var before);
        for (var length = 0; length < saved.Length; length++)
        {
            var result = client.Restore(new MemoryStream(saved, 0, length));
            Assert.True(result.Status == TransferStatus.Truncated, $"{length} bytes: {result}");
            Assert.Contains($"byte {length}", result.Sentence, StringComparison.Ordinal);
        }
        AssertNothingLeft(engine, before);
    }

    [Fact]
    public void What_is_well_formed_and_unknown_is_refused_by_name()
    {
        // Offsets: the head's version and reserve; the pool's flags, policy, limit, shared id; the first page's length, format,
        // reserve.
        const int pool = 16, page = 64;
        Refuses(8, 2u, TransferStatus.UnknownVersion, "version 2");
        Refuses(12, 1u, TransferStatus.UnknownContent, "head");
        Refuses(pool, 77u, TransferStatus.UnknownContent, "kind 77");
        Refuses(pool, 2u, TransferStatus.Damaged, "before any pool");
        Refuses(pool + 4, 0x100u, TransferStatus.UnknownContent, "flags 100");
        Refuses(pool + 4, 0x51u, TransferStatus.UnknownContent, nameof(TmemStatus.UnsupportedPageSize));
        Refuses(pool + 8, 0x80u, TransferStatus.UnknownContent, "policy 80");
        Refuses(pool + 12, 1u, TransferStatus.UnknownContent, "pool");
        Refuses(pool + 20, 0x8000_0000u, TransferStatus.UnknownContent, "limit");
        Refuses(pool + 24, 1u, TransferStatus.UnknownContent, nameof(TmemStatus.InvalidSharedId));
        Refuses(page + 32, 0u, TransferStatus.Damaged, "0 bytes");
        Refuses(page + 32, 4097u, TransferStatus.Damaged, "4097 bytes");
        Refuses(page + 36, 7u, TransferStatus.UnknownContent, "format 7");
        Refuses(page + 44, 1u, TransferStatus.UnknownContent, "page");
        Refuses(page + 40, 1u, TransferStatus.Damaged, "checksum");
        Refuses(page + 48 + 100, 0xDEAD_BEEF, TransferStatus.Damaged, "checksum");

        void Refuses(int at, uint value, TransferStatus expected, string words)
        {
            var saved = Saves.Small();
            BitConverter.TryWriteBytes(saved.AsSpan(at), value);
            Saves.Seal(saved.AsSpan(pool, 48));
            Saves.Seal(saved);
            using var engine = Engines.Anonymous(2 * Engines.Mebi);
            var result = engine.Client(new TmemClientId(1)).Restore(new MemoryStream(saved));
            Assert.True(result.Status == expected, $"{at}: {result}");
            Assert.Contains(words, result.Sentence, StringComparison.Ordinal);
            Assert.Empty(engine.Statistics().Pools);
            Engines.AssertSound(engine);
        }
    }

    [Fact]
    public void A_shared_pool_needs_its_authorisation_and_its_id()
    {
        var saved = Saves.Small(shared: true);
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var result = client.Restore(new MemoryStream(saved));
        Assert.Equal((TransferStatus.Refused, TmemStatus.NotAuthorised), (result.Status, result.Cause));
        engine.Authorise(client.Id, Saves.Shared.SharedId);
        Assert.Equal(TmemStatus.Ok, client.NewPool(Saves.Shared, out var pool));
        result = client.Restore(new MemoryStream(saved));
        Assert.Equal((TransferStatus.Refused, TmemStatus.SharedIdInUse), (result.Status, result.Cause));
        client.DestroyPool(pool);
        Assert.Equal(TransferStatus.Truncated, client.Restore(new MemoryStream(saved, 0, saved.Length - 1)).Status);
        // The client is no member of anything: without its authorisation nothing is left of it.
        engine.Revoke(client.Id, Saves.Shared.SharedId);
        Assert.Empty(engine.Clients());
        engine.Authorise(client.Id, Saves.Shared.SharedId);
        Assert.Equal(TransferStatus.Ok, client.Restore(new MemoryStream(saved)).Status);
        engine.Authorise(new TmemClientId(2), Saves.Shared.SharedId);
        Assert.Equal(TmemStatus.Ok, engine.Client(new TmemClientId(2)).NewPool(Saves.Shared, out var joined));
        Assert.Equal([joined], client.Pools());
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Without_room_a_restore_is_refused_whole()
    {
        using var source = Engines.Anonymous();
        var client = source.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 1000; i++) client.Put(pool, _object, i, Pages.Random((int)i % 40));
        using var stream = new MemoryStream();
        client.Save(stream);

        using var small = Engines.Still(2 * Engines.Mebi);
        var refused = small.Client(new TmemClientId(1));
        stream.Position = 0;
        var result = refused.Restore(stream);
        Assert.Equal((TransferStatus.Refused, TmemStatus.NoRoom), (result.Status, result.Cause));
        Assert.Equal(0, small.Statistics().Total.Pages);
        Assert.Equal(0, small.Statistics().PageSpanBytes);
        refused.Configure(new ClientOptions(LimitBytes: 100_000));
        stream.Position = 0;
        Assert.Equal(TmemStatus.ClientLimit, refused.Restore(stream).Cause);
        refused.Freeze();
        stream.Position = 0;
        Assert.Equal(TmemStatus.Frozen, refused.Restore(stream).Cause);
        Assert.Empty(refused.Pools());
        Engines.AssertSound(small);
    }

    [Fact]
    public void Whichever_allocation_fails_a_restore_leaves_nothing()
    {
        var saved = Saves.Small();
        using var engine = Used(saved, out var client, out var before);
        for (var n = 1; ; n++)
        {
            var calls = 0;
            engine.Slabs.FaultInjector = () => ++calls == n;
            var result = client.Restore(new MemoryStream(saved));
            engine.Slabs.FaultInjector = null;
            if (result.Status == TransferStatus.Ok)
            {
                Assert.True(n > 5, $"{n} allocations show nothing");
                break;
            }
            Assert.Equal(TmemStatus.NoRoom, result.Cause);
            AssertNothingLeft(engine, before);
        }
    }

    [Fact]
    public unsafe void A_corrupt_page_stops_a_save_and_is_named()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        client.Put(pool, _object, 9, Pages.Text(3));
        for (uint span = 0; span < engine.Slabs.Spans.HighWater; span++)
        {
            if (engine.Slabs.Spans.Table[span].Kind == SpanKind.PersistentPages) engine.Slabs.Spans.Start(span)[40] ^= 1;
        }
        var result = client.SavePool(pool, new MemoryStream());
        Assert.Equal((TransferStatus.Refused, TmemStatus.Corrupt), (result.Status, result.Cause));
        Assert.Contains("page 9", result.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_stream_that_fails_is_an_answer()
    {
        var saved = Saves.Small();
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        var reads = 0;
        using var failing = new WatchedStream(saved, () => { if (++reads == 5) throw new IOException("the disk is gone"); });
        var result = client.Restore(failing);
        Assert.Equal(TransferStatus.StreamFailed, result.Status);
        Assert.Contains("the disk is gone", result.Sentence, StringComparison.Ordinal);
        Assert.Empty(engine.Statistics().Pools);
        client.Put(Engines.Pool(client), _object, 0, Pages.Random(1));
        Assert.Equal(TransferStatus.StreamFailed, client.Save(new FullStream()).Status);
        Assert.Equal(TmemStatus.NoSuchPool, client.SavePool(new PoolId(99), Stream.Null).Cause);
        Assert.Throws<ArgumentNullException>(() => client.Save(null!));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Sixty_four_restores_may_run_at_once_and_not_more()
    {
        var saved = Saves.Small();
        using var engine = Engines.Anonymous(16 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var depth = 0;
        TransferResult? deepest = null;
        Nested();
        Assert.Equal((TransferStatus.Refused, TmemStatus.TableFull), (deepest!.Status, deepest.Cause));
        Assert.Equal(64, client.Pools().Count);
        Engines.AssertSound(engine);

        TransferResult Nested()
        {
            depth++;
            var first = true;
            using var stream = new WatchedStream(saved, () =>
            {
                if (!first || depth > 64) return;
                first = false;
                var inner = Nested();
                deepest ??= inner;
            });
            return client.Restore(stream);
        }
    }

    /// <summary>
    /// An engine that has held the save and dropped it again, with its figures then: one-time allocations are done.
    /// </summary>
    private static TmemEngine Used(byte[] saved, out TmemClient client, out EngineStatistics before)
    {
        var engine = Engines.Still(4 * Engines.Mebi);
        client = engine.Client(new TmemClientId(1));
        Assert.Equal(TransferStatus.Ok, client.Restore(new MemoryStream(saved)).Status);
        client.Destroy();
        before = engine.Statistics();
        return engine;
    }

    private static void AssertNothingLeft(TmemEngine engine, EngineStatistics before)
    {
        Engines.AssertSound(engine);
        var now = engine.Statistics();
        Assert.Empty(now.Pools);
        Assert.Equal(before.Total, now.Total);
        Assert.Equal((before.PageSpanBytes, before.Spans), (now.PageSpanBytes, now.Spans));
        Assert.Equal(before.UsedBytes - before.ReadySpanBytes, now.UsedBytes - now.ReadySpanBytes);
    }
}
