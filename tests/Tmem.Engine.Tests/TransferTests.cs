using CsCheck;
using System.IO.Hashing;

namespace Tmem.Engine.Tests;

/// <summary>What was saved is there again, whole or not at all.</summary>
public sealed class TransferTests
{
    private static readonly PoolFlags[] s_kinds = [PoolFlags.Persistent, PoolFlags.None, PoolFlags.Shared, PoolFlags.Persistent | PoolFlags.Shared];
    private readonly ObjectId _object = new(1, 2, 3);
    private readonly byte[] _page = new byte[Pages.Size];

    [Fact]
    public void EveryPoolOfAClientComesBackPageForPage() => Gen.Int.Sample(seed =>
    {
        var random = new Random(seed);
        using var source = Engines.Anonymous();
        var client = source.Client(new ClientId(1));
        PoolOptions[] options = [.. s_kinds.Select((kind, i) => new PoolOptions(kind, i * 100_000_000L, i % 2 == 1))];
        var model = options.Select(_ => new Dictionary<(ObjectId, uint), byte[]>()).ToArray();
        for (var i = 0; i < options.Length; i++)
        {
            Assert.Equal(TmemStatus.Ok, client.NewPool(options[i], out var pool));
            for (var n = random.Next(300); n > 0; n--)
            {
                ulong Word() => random.Next(4) switch { 0 => 0, 1 => ulong.MaxValue, _ => (ulong)random.Next(5) };
                var id = new ObjectId(Word(), Word(), Word());
                var index = random.Next(3) switch { 0 => (uint)random.Next(), 1 => uint.MaxValue, _ => (uint)random.Next(80) };
                var page = Pages.Any(random.Next(500));
                if (client.Put(pool, id, index, page) == TmemStatus.Ok) model[i][(id, index)] = page;
                else model[i].Remove((id, index));
            }
            foreach (var key in model[i].Keys.Where(key => !key.Item1.IsValid).ToList()) model[i].Remove(key);
        }
        var before = source.Statistics().Pools;
        using var stream = new MemoryStream();
        var saved = client.Save(stream);
        Assert.True(saved.Status == TransferStatus.Ok, saved.Sentence);
        Assert.Equal(stream.Length, saved.Bytes);
        Assert.Equal(client.Pools(), saved.Pools);
        Assert.Equal(before, source.Statistics().Pools);

        using var target = Engines.Anonymous();
        var other = target.Client(new ClientId(9));
        stream.Position = 0;
        var restored = other.Restore(stream);
        Assert.True(restored.Status == TransferStatus.Ok, restored.Sentence);
        Assert.Equal(saved.Pages, restored.Pages);
        Assert.Equal(saved.Bytes, restored.Bytes);
        Assert.Equal(other.Pools(), restored.Pools);
        Engines.AssertSound(target);
        for (var i = 0; i < options.Length; i++)
        {
            Assert.Equal(TmemStatus.Ok, other.PoolInfo(restored.Pools[i], out var info));
            Assert.Equal(options[i], info!.Options);
            var there = before[i].Statistics;
            Assert.Equal((model[i].Count, there.CompressedBytes, there.SlotBytes, there.SameFilledPages, there.RawPages),
                ((int)info.Statistics.Pages, info.Statistics.CompressedBytes, info.Statistics.SlotBytes, info.Statistics.SameFilledPages, info.Statistics.RawPages));
            foreach (var ((id, index), page) in model[i])
            {
                Assert.Equal(TmemStatus.Ok, other.Get(restored.Pools[i], id, index, _page));
                Assert.Equal(page, _page);
            }
        }
        Engines.AssertSound(source);
        Engines.AssertSound(target);
    }, iter: 25, threads: 1);

    [Fact]
    public void NoObjectLiesBetweenAnIdAndTheNext()
    {
        const ulong most = ulong.MaxValue;
        Assert.Equal(new ObjectId(6, 1, 2), new ObjectId(5, 1, 2).Next());
        Assert.Equal(new ObjectId(0, 2, 2), new ObjectId(most, 1, 2).Next());
        Assert.Equal(new ObjectId(0, 0, 3), new ObjectId(most, most, 2).Next());
        Assert.Equal(ObjectId.Invalid, new ObjectId(most - 1, most, most).Next());
    }

    [Fact]
    public void SavingAnEphemeralPoolConsumesNothing()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new ClientId(1));
        var pool = Engines.Pool(client, PoolFlags.None);
        for (uint i = 0; i < 50; i++) client.Put(pool, _object, i, Pages.Any((int)i));
        using var stream = new MemoryStream();
        Assert.Equal(50, client.SavePool(pool, stream).Pages);
        Assert.Equal(50, Engines.Figures(client, pool).Pages);
        Assert.Equal(0, Engines.Figures(client, pool).Gets);
    }

    [Fact]
    public void AFlippedByteAnywhereIsRefusedAndLeavesNothing()
    {
        var saved = SmallSave();
        using var engine = Engines.Anonymous(4 * Engines.Mebi);
        var client = engine.Client(new ClientId(1));
        Assert.Equal(TransferStatus.Ok, client.Restore(new MemoryStream(saved)).Status);
        client.Destroy();
        var seen = new HashSet<TransferStatus>();
        var before = engine.Statistics();
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
        Assert.Superset(new HashSet<TransferStatus>([TransferStatus.NotASave, TransferStatus.UnknownVersion, TransferStatus.UnknownContent, TransferStatus.Damaged]), seen);
        Assert.Equal(TransferStatus.Ok, client.Restore(new MemoryStream(saved)).Status);
    }

    [Fact]
    public void AStreamCutShortAnywhereIsRefusedAndLeavesNothing()
    {
        var saved = SmallSave();
        using var engine = Engines.Anonymous(4 * Engines.Mebi);
        var client = engine.Client(new ClientId(1));
        Assert.Equal(TransferStatus.Ok, client.Restore(new MemoryStream(saved)).Status);
        client.Destroy();
        var before = engine.Statistics();
        for (var length = 0; length < saved.Length; length++)
        {
            var result = client.Restore(new MemoryStream(saved, 0, length));
            Assert.True(result.Status == TransferStatus.Truncated, $"{length} bytes: {result}");
            Assert.Contains($"byte {length}", result.Sentence, StringComparison.Ordinal);
        }
        AssertNothingLeft(engine, before);
    }

    [Fact]
    public void EveryPageSizeAndCodecComesBack()
    {
        using var source = Engines.Still();
        using var target = Engines.Still();
        var (client, other) = (source.Client(new ClientId(1)), target.Client(new ClientId(1)));
        List<PoolOptions> shapes = [new(PoolFlags.Persistent | PoolFlags.Precompressed)];
        foreach (var size in PoolShapes.PageSizes)
        {
            foreach (var codec in Enum.GetValues<TmemCodec>()) shapes.Add(new PoolOptions(PoolFlags.Persistent.WithPageSize(size), Codec: codec));
        }
        byte[] PageOf(PoolOptions shape, int seed) =>
            (shape.Flags & PoolFlags.Precompressed) != 0 ? Pages.Random(seed, 100 + seed * 300)
            : seed == 0 ? Pages.Filled(77, shape.Flags.PageSize()) : seed == 1 ? Pages.Random(seed, shape.Flags.PageSize()) : Pages.Text(seed, shape.Flags.PageSize());
        foreach (var shape in shapes)
        {
            Assert.Equal(TmemStatus.Ok, client.NewPool(shape, out var pool));
            for (var seed = 0; seed < 6; seed++) Assert.Equal(TmemStatus.Ok, client.Put(pool, _object, (uint)seed, PageOf(shape, seed)));
        }
        var stream = new MemoryStream();
        Assert.Equal(TransferStatus.Ok, client.Save(stream).Status);
        stream.Position = 0;
        var restored = other.Restore(stream);
        Assert.True(restored.Status == TransferStatus.Ok, restored.Sentence);
        for (var i = 0; i < shapes.Count; i++)
        {
            Assert.Equal(TmemStatus.Ok, other.PoolInfo(restored.Pools[i], out var info));
            Assert.Equal(shapes[i], info!.Options);
            var room = new byte[info.PageSize];
            for (var seed = 0; seed < 6; seed++)
            {
                Assert.Equal(TmemStatus.Ok, other.Get(restored.Pools[i], _object, (uint)seed, room, out var length));
                Assert.Equal(PageOf(shapes[i], seed), room[..length]);
            }
        }
        Engines.AssertSound(target);
    }

    [Fact]
    public void WhatIsWellFormedAndUnknownIsRefusedByName()
    {
        // Offsets: the head's version and reserve; the pool's flags, policy, limit, shared id; the first page's length, format, reserve.
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
            var saved = SmallSave();
            BitConverter.TryWriteBytes(saved.AsSpan(at), value);
            Seal(saved.AsSpan(pool, 48));
            Seal(saved);
            using var engine = Engines.Anonymous(2 * Engines.Mebi);
            var result = engine.Client(new ClientId(1)).Restore(new MemoryStream(saved));
            Assert.True(result.Status == expected, $"{at}: {result}");
            Assert.Contains(words, result.Sentence, StringComparison.Ordinal);
            Assert.Empty(engine.Statistics().Pools);
            Engines.AssertSound(engine);
        }
    }

    [Fact]
    public void WhatFollowsTheTrailerIsNotRead()
    {
        var saved = SmallSave();
        using var engine = Engines.Anonymous();
        var client = engine.Client(new ClientId(1));
        using var both = new MemoryStream([.. saved, .. saved, 1, 2, 3]);
        Assert.Equal(TransferStatus.Ok, client.Restore(both).Status);
        Assert.Equal(TransferStatus.Ok, client.Restore(both).Status);
        Assert.Equal(2 * saved.Length, both.Position);
        Assert.Equal(TransferStatus.Truncated, client.Restore(both).Status);
        Assert.Equal(2, client.Pools().Count);
    }

    [Fact]
    public void NobodySeesAPoolBeforeItIsWhole()
    {
        var saved = SmallSave(shared: true);
        using var engine = Engines.Anonymous();
        engine.Authorise(new ClientId(1), s_shared.SharedId);
        var client = engine.Client(new ClientId(1));
        var looks = 0;
        using var stream = new WatchedStream(saved, () =>
        {
            looks++;
            Assert.Empty(client.Pools());
            Assert.Empty(engine.Statistics().Pools);
            Assert.Equal(TmemStatus.NoSuchPool, client.Get(new PoolId(1 << 10), _object, 0, _page));
            if (looks > 4) Assert.Equal(TmemStatus.SharedIdInUse, client.NewPool(s_shared, out _));
            Assert.True(engine.Verify().Clean);
        });
        var result = client.Restore(stream);
        Assert.True(result.Status == TransferStatus.Ok, result.Sentence);
        Assert.True(looks > 6);
        Assert.Equal(result.Pools, client.Pools());
        Engines.AssertSound(engine);
    }

    [Fact]
    public void ASharedPoolNeedsItsAuthorisationAndItsId()
    {
        var saved = SmallSave(shared: true);
        using var engine = Engines.Anonymous();
        var client = engine.Client(new ClientId(1));
        var result = client.Restore(new MemoryStream(saved));
        Assert.Equal((TransferStatus.Refused, TmemStatus.NotAuthorised), (result.Status, result.Cause));
        engine.Authorise(client.Id, s_shared.SharedId);
        Assert.Equal(TmemStatus.Ok, client.NewPool(s_shared, out var pool));
        result = client.Restore(new MemoryStream(saved));
        Assert.Equal((TransferStatus.Refused, TmemStatus.SharedIdInUse), (result.Status, result.Cause));
        client.DestroyPool(pool);
        Assert.Equal(TransferStatus.Truncated, client.Restore(new MemoryStream(saved, 0, saved.Length - 1)).Status);
        // The client is no member of anything: without its authorisation there is nothing left of it.
        engine.Revoke(client.Id, s_shared.SharedId);
        Assert.Empty(engine.Clients());
        engine.Authorise(client.Id, s_shared.SharedId);
        Assert.Equal(TransferStatus.Ok, client.Restore(new MemoryStream(saved)).Status);
        engine.Authorise(new ClientId(2), s_shared.SharedId);
        Assert.Equal(TmemStatus.Ok, engine.Client(new ClientId(2)).NewPool(s_shared, out var joined));
        Assert.Equal([joined], client.Pools());
        Engines.AssertSound(engine);
    }

    [Fact]
    public void WithoutRoomARestoreIsRefusedWhole()
    {
        using var source = Engines.Anonymous();
        var client = source.Client(new ClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 1000; i++) client.Put(pool, _object, i, Pages.Random((int)i % 40));
        using var stream = new MemoryStream();
        client.Save(stream);

        using var small = Engines.Anonymous(2 * Engines.Mebi);
        var refused = small.Client(new ClientId(1));
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
    public void WhicheverAllocationFailsARestoreLeavesNothing()
    {
        var saved = SmallSave();
        using var engine = Engines.Anonymous(4 * Engines.Mebi);
        var client = engine.Client(new ClientId(1));
        Assert.Equal(TransferStatus.Ok, client.Restore(new MemoryStream(saved)).Status);
        client.Destroy();
        var before = engine.Statistics();
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
    public unsafe void ACorruptPageStopsASaveAndIsNamed()
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new ClientId(1));
        var pool = Engines.Pool(client);
        client.Put(pool, _object, 9, Pages.Text(3));
        for (uint span = 0; span < engine.Slabs.Spans.HighWater; span++)
        {
            if (engine.Slabs.Spans.Table[span].Kind == Region.SpanKind.PersistentPages) engine.Slabs.Spans.Start(span)[40] ^= 1;
        }
        var result = client.SavePool(pool, new MemoryStream());
        Assert.Equal((TransferStatus.Refused, TmemStatus.Corrupt), (result.Status, result.Cause));
        Assert.Contains("page 9", result.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void AStreamThatFailsIsAnAnswer()
    {
        var saved = SmallSave();
        using var engine = Engines.Anonymous();
        var client = engine.Client(new ClientId(1));
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
    public void SixtyFourRestoresMayRunAtOnceAndNotMore()
    {
        var saved = SmallSave();
        using var engine = Engines.Anonymous(16 * Engines.Mebi);
        var client = engine.Client(new ClientId(1));
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

    [Fact]
    public void ASaveUnderLoadHoldsTruePagesAndAllThatNobodyTouched()
    {
        using var engine = Engines.Anonymous(128 * Engines.Mebi);
        var client = engine.Client(new ClientId(1));
        var pool = Engines.Pool(client);
        const uint still = 2000;
        for (uint i = 0; i < still; i++) client.Put(pool, new ObjectId(i % 7), i * 3, Pages.Any((int)i));
        var stop = false;
        var threads = Enumerable.Range(0, 2).Select(number => new Thread(() =>
        {
            var random = new Random(number);
            var page = new byte[Pages.Size];
            while (!Volatile.Read(ref stop))
            {
                // Objects of their own, and handles between the untouched ones; objects come and go.
                var obj = (ulong)random.Next(12);
                var index = (uint)random.Next(2000) * 3 + 1;
                Make(page, obj, index, random.Next());
                if (random.Next(3) == 0) client.FlushPage(pool, new ObjectId(obj), index);
                else client.Put(pool, new ObjectId(obj), index, page);
                if (random.Next(500) == 0) client.FlushObject(pool, new ObjectId(7 + obj % 5));
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        var streams = new List<MemoryStream>();
        for (var round = 0; round < 8; round++)
        {
            streams.Add(new MemoryStream());
            var result = client.SavePool(pool, streams[^1]);
            Assert.True(result.Status == TransferStatus.Ok, result.Sentence);
        }
        Volatile.Write(ref stop, true);
        threads.ForEach(thread => thread.Join());
        Engines.AssertSound(engine);

        foreach (var stream in streams)
        {
            using var target = Engines.Anonymous(128 * Engines.Mebi);
            var other = target.Client(new ClientId(1));
            stream.Position = 0;
            var restored = other.Restore(stream);
            Assert.True(restored.Status == TransferStatus.Ok, restored.Sentence);
            for (uint i = 0; i < still; i++)
            {
                Assert.Equal(TmemStatus.Ok, other.Get(restored.Pools[0], new ObjectId(i % 7), i * 3, _page));
                Assert.Equal(Pages.Any((int)i), _page);
            }
            var moving = 0;
            for (ulong obj = 0; obj < 12; obj++)
            {
                for (uint i = 0; i < 2000; i++)
                {
                    if (other.Get(restored.Pools[0], new ObjectId(obj), i * 3 + 1, _page) != TmemStatus.Ok) continue;
                    var expected = new byte[Pages.Size];
                    Make(expected, obj, i * 3 + 1, BitConverter.ToInt32(_page, 12));
                    Assert.Equal(expected, _page);
                    moving++;
                }
            }
            Assert.Equal(restored.Pages, still + moving);
            Engines.AssertSound(target);
        }
    }

    private static readonly PoolOptions s_shared = new(PoolFlags.Persistent | PoolFlags.Shared, SharedId: new SharedId(3, 4));

    /// <summary>A pool of a raw page, two that shrink and two that are one word: about 8 KiB.</summary>
    internal static byte[] SmallSave(bool shared = false)
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new ClientId(1));
        engine.Authorise(client.Id, s_shared.SharedId);
        Assert.Equal(TmemStatus.Ok, client.NewPool(shared ? s_shared : new PoolOptions(PoolFlags.Persistent), out var pool));
        client.Put(pool, new ObjectId(1), 0, Pages.Text(2));
        client.Put(pool, new ObjectId(1), 5, Pages.Random(1));
        client.Put(pool, new ObjectId(2), uint.MaxValue, Pages.Filled(0));
        client.Put(pool, new ObjectId(3), 1, Pages.Filled(77));
        client.Put(pool, new ObjectId(3), 0, Pages.Text(3));
        using var stream = new MemoryStream();
        Assert.Equal(TransferStatus.Ok, client.SavePool(pool, stream).Status);
        return stream.ToArray();
    }

    /// <summary>Makes the checksum at the end right again, as a program that writes such streams would.</summary>
    private static void Seal(Span<byte> saved) => BitConverter.TryWriteBytes(saved[^8..], XxHash3.HashToUInt64(saved[..^8]));

    private static void AssertNothingLeft(TmemEngine engine, Diagnostics.EngineStatistics before)
    {
        Engines.AssertSound(engine);
        var now = engine.Statistics();
        Assert.Empty(now.Pools);
        Assert.Equal(before.Total, now.Total);
        Assert.Equal((before.PageSpanBytes, before.Spans), (now.PageSpanBytes, now.Spans));
        Assert.Equal(before.UsedBytes - before.ReadySpanBytes, now.UsedBytes - now.ReadySpanBytes);
    }

    private static void Make(byte[] page, ulong obj, uint index, int seed)
    {
        Pages.Text(seed % 50).CopyTo(page, 0);
        BitConverter.TryWriteBytes(page, obj);
        BitConverter.TryWriteBytes(page.AsSpan(8), index);
        BitConverter.TryWriteBytes(page.AsSpan(12), seed);
    }
}

/// <summary>A stream that tells of each read before it happens.</summary>
internal sealed class WatchedStream(byte[] bytes, Action onRead) : MemoryStream(bytes)
{
    public override int Read(byte[] buffer, int offset, int count)
    {
        onRead();
        return base.Read(buffer, offset, count);
    }
}

/// <summary>A stream with no room.</summary>
internal sealed class FullStream : MemoryStream
{
    public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("no space left");
}
