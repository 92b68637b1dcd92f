using System.Globalization;
using System.Runtime.InteropServices;
using CsCheck;
using Tmds.Linux;
using Tmem.Engine.Format;
using Tmem.Engine.Records;
using Tmem.Engine.Tests.Durability;

namespace Tmem.Engine.Tests;

/// <summary>A process that attaches to the region finds what was stored, and nothing else.</summary>
public sealed class AttachTests : IDisposable
{
    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-attach-{Environment.ProcessId}-{Guid.NewGuid():N}.region");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Everything_is_there_again() => Gen.Int.Sample(seed =>
    {
        File.Delete(_path);
        var random = new Random(seed);
        var model = new Dictionary<(int Pool, ulong Object, uint Index), int>();
        PoolId[] pools;
        using (var engine = Open())
        {
            Assert.False(engine.Attached);
            var client = engine.Client(new TmemClientId(1));
            pools = [Engines.Pool(client), Engines.Pool(client, PoolFlags.Shared),
                Engines.Pool(client, PoolFlags.Persistent, 1 << 22)];
            var gone = Engines.Pool(client);
            for (var i = 0; i < 2000; i++)
            {
                var key = (random.Next(3), (ulong)random.Next(30), (uint)(random.Next(4) == 0 ? random.Next() : random.Next(80)));
                if (random.Next(4) == 0)
                {
                    client.FlushPage(pools[key.Item1], new ObjectId(key.Item2), key.Item3);
                    model.Remove(key);
                }
                else
                {
                    Assert.Equal(TmemStatus.Ok, client.Put(pools[key.Item1], new ObjectId(key.Item2), key.Item3, Pages.Any(i)));
                    model[key] = i;
                }
                client.Put(gone, new ObjectId(1), (uint)i, Pages.Text(1));
            }
            client.DestroyPool(gone);
        }
        using (var engine = Open())
        {
            Assert.True(engine.Attached);
            Engines.AssertSound(engine);
            Assert.Equal(2, engine.Statistics().Generation);
            var client = engine.Client(new TmemClientId(1));
            Assert.Equal(pools, client.Pools());
            Assert.Equal(model.Count, engine.Statistics().Total.Pages);
            var page = new byte[Pages.Size];
            foreach (var (key, value) in model)
            {
                Assert.Equal(TmemStatus.Ok, client.Get(pools[key.Pool], new ObjectId(key.Object), key.Index, page));
                Assert.Equal(Pages.Any(value), page);
            }
            foreach (var pool in pools) client.DestroyPool(pool);
            Assert.Equal(0, engine.Statistics().PageSpanBytes);
            Engines.AssertSound(engine);
        }
    }, iter: 12, threads: 1);

    [Fact]
    public void Pools_come_back_as_what_they_were()
    {
        PoolOptions[] options =
        [
            .. from size in PoolShapes.PageSizes
               from codec in Enum.GetValues<TmemCodec>()
               select new PoolOptions(PoolFlags.Persistent.WithPageSize(size), 1 << 24, codec == TmemCodec.Lz4, codec),
            .. PoolShapes.PageSizes.Select(
                size => new PoolOptions((PoolFlags.Shared | PoolFlags.Precompressed).WithPageSize(size))),
        ];
        var pools = new PoolId[options.Length];
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(1));
            for (var i = 0; i < pools.Length; i++)
            {
                Assert.Equal(TmemStatus.Ok, client.NewPool(options[i], out pools[i]));
                for (uint index = 0; index < 3; index++)
                    Assert.Equal(TmemStatus.Ok, client.Put(pools[i], new ObjectId(1), index, Stored(i, index)));
            }
        }
        using (var engine = Open())
        {
            Engines.AssertSound(engine);
            var client = engine.Client(new TmemClientId(1));
            for (var i = 0; i < pools.Length; i++)
            {
                Assert.Equal(TmemStatus.Ok, client.PoolInfo(pools[i], out var info));
                Assert.Equal(options[i], info!.Options);
                Assert.Equal(options[i].Flags.PageSize(), info.PageSize);
                var page = new byte[info.PageSize];
                for (uint index = 0; index < 3; index++)
                {
                    Assert.Equal(TmemStatus.Ok, client.Get(pools[i], new ObjectId(1), index, page, out var length));
                    Assert.Equal(Stored(i, index), page[..length]);
                }
                var bytes = info.Statistics.CompressedBytes;
                // New pages use the same codec: a page put over an equal one takes as much.
                for (uint index = 0; index < 3; index++) client.Put(pools[i], new ObjectId(1), index, Stored(i, index));
                Assert.Equal(bytes, Engines.Figures(client, pools[i]).CompressedBytes);
            }
        }

        byte[] Stored(int pool, uint index)
        {
            var size = options[pool].Flags.PageSize();
            var page = Pages.Text((int)index, size);
            return (options[pool].Flags & PoolFlags.Precompressed) == 0 ? page : page[..(1 + (int)index * 1000)];
        }
    }

    [Theory]
    [InlineData(4, 0x51)]
    [InlineData(4, 0xF1)]
    [InlineData(12, 0x300)]
    [InlineData(12, 0xFF00)]
    public void A_pool_of_a_kind_that_is_not_known_is_refused_by_name(int offset, int value)
    {
        using (var engine = Open()) Engines.Pool(engine.Client(new TmemClientId(1)));
        // Flags and policy of the first pool table entry.
        Overwrite(RegionLayout.PoolTableOffset + 8 + offset, value);
        Assert.Contains("there are none such", Assert.Throws<RegionException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_not_committed_is_freed_on_attach()
    {
        PoolId pool;
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(1));
            pool = Engines.Pool(client);
            client.Put(pool, new ObjectId(1), 0, Pages.Text(1));
            // What a process that dies between the steps of a put leaves behind: taken slots that nothing refers to.
            engine.Slabs.Allocate(SpanKind.PersistentPages, 40);
            engine.Slabs.Allocate(SpanKind.Nodes, SizeClasses.Node);
            engine.Slabs.Allocate(SpanKind.Objects, SizeClasses.Object);
            Assert.Equal(TmemStatus.Ok, engine.Records.Allocate(7, 100, out _));
        }
        using (var engine = Open())
        {
            Engines.AssertSound(engine);
            var statistics = engine.Statistics();
            Assert.Equal(2, statistics.Spans);
            Assert.Equal(1, statistics.Total.Pages);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public unsafe void An_object_that_was_being_moved_is_there_once(bool nodesTold)
    {
        PoolId pool;
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(1));
            pool = Engines.Pool(client);
            for (uint i = 0; i < 200; i++) client.Put(pool, new ObjectId(7), i, Pages.Text((int)i));
            // What a process that dies with both records committed leaves behind.
            var spans = engine.Slabs.Spans;
            uint span = 0;
            while (spans.Table[span].Kind != SpanKind.Objects) span++;
            var from = spans.PlaceOf(span);
            var to = engine.Slabs.Allocate(SpanKind.Objects, SizeClasses.Object);
            ref var record = ref *(ObjectRecord*)engine.Slabs.At(to);
            record = *(ObjectRecord*)engine.Slabs.At(from);
            record.Supersedes = from;
            if (nodesTold)
                ((RadixNode*)engine.Slabs.At(record.RootNode))->Header = RadixNode.MakeHeader(to, record.Height);
        }
        using (var engine = Open())
        {
            Engines.AssertSound(engine);
            var client = engine.Client(new TmemClientId(1));
            var page = new byte[Pages.Size];
            for (uint i = 0; i < 200; i++)
            {
                Assert.Equal(TmemStatus.Ok, client.Get(pool, new ObjectId(7), i, page));
                Assert.Equal(Pages.Text((int)i), page);
            }
            Assert.Equal(1, engine.Statistics().Total.Objects);
        }
    }

    [Fact]
    public void Records_come_back_committed_or_not_at_all()
    {
        RecordRef kept, uncommitted, freed;
        using (var engine = Open())
        {
            engine.Records.Allocate(3, 200, out kept);
            engine.Records.Bytes(kept).Fill(0xAB);
            engine.Records.Commit(kept);
            engine.Records.Allocate(3, 200, out uncommitted);
            engine.Records.Allocate(3, 200, out freed);
            engine.Records.Commit(freed);
            engine.Records.Free(freed);
            engine.Records.Root = kept;
        }
        using (var engine = Open())
        {
            var seen = new List<RecordRef>();
            engine.Records.ForEach(3, seen.Add);
            Assert.Equal([kept], seen);
            Assert.Equal(kept, engine.Records.Root);
            Assert.Equal(200, engine.Records.Bytes(kept).Length);
            Assert.True(engine.Records.Bytes(kept).IndexOfAnyExcept((byte)0xAB) < 0);
            Assert.True(engine.Records.IsRecord(kept, 3));
            Assert.False(engine.Records.IsRecord(kept, 4));
            Assert.False(engine.Records.IsRecord(uncommitted, 3));
            Assert.False(engine.Records.IsRecord(freed, 3));
            Assert.False(engine.Records.IsRecord(new RecordRef(ulong.MaxValue), 3));
            Assert.False(engine.Records.IsRecord(new RecordRef(1), 3));
        }
    }

    [Fact]
    public void A_foreign_file_is_refused_and_untouched()
    {
        var text = new string('x', 100_000);
        File.WriteAllText(_path, text);
        var error = Assert.Throws<RegionException>(Open);
        Assert.Contains(_path, error.Message, StringComparison.Ordinal);
        Assert.Contains("not a tmem region", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("remove", error.Message, StringComparison.Ordinal);
        Assert.Equal(text, File.ReadAllText(_path));
    }

    [Fact]
    public void A_region_whose_first_page_is_lost_is_called_damaged()
    {
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(1));
            client.NewPool(new PoolOptions(PoolKind.Persistent), out var pool);
            Assert.True(client.TryPut(pool, new ObjectId(1), 0, Pages.Random(1), out _));
        }
        using (var file = File.OpenWrite(_path)) file.Write(new byte[4096]);
        var error = Assert.Throws<RegionException>(Open);
        Assert.Contains($"{_path}' is damaged: it looks like a tmem region", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("restore it from a copy", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1L << 62, 0, "a capacity of 4611686018427387904 bytes is above 17592186044416, the most there is")]
    [InlineData(1L << 30, 1L << 62, "a maximum capacity of 4611686018427387904 bytes is above 17592186044416, the most there is")]
    [InlineData(1L << 30, 1L << 20, "a maximum capacity of 1048576 bytes is below the capacity of 1073741824")]
    public void A_capacity_that_cannot_be_is_refused_for_what_it_is(long capacity, long maximum, string says)
    {
        var options = new EngineOptions { CapacityBytes = capacity, MaximumCapacityBytes = maximum };
        var error = Assert.Throws<ArgumentException>(() => TmemEngine.Open(options));
        Assert.StartsWith(says, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_region_of_another_version_is_refused()
    {
        Open().Dispose();
        Overwrite(8, 99);
        var error = Assert.Throws<RegionException>(Open);
        Assert.Contains("version 99", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_region_cut_short_is_refused()
    {
        Open().Dispose();
        using (var file = File.OpenWrite(_path)) file.SetLength(500_000);
        Assert.Contains("cut short", Assert.Throws<RegionException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_is_refused()
    {
        var error = Assert.Throws<RegionException>(() => TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = Engines.Mebi, RegionPath = Path.GetTempPath(),
        }));
        Assert.Contains("region file", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_second_process_is_kept_off()
    {
        using var engine = Open();
        Assert.Contains("in use", Assert.Throws<RegionException>(Open).Message, StringComparison.Ordinal);
    }

    /// <summary>A process that is being started has a copy of every descriptor until it executes its program.</summary>
    [Fact]
    public void A_copy_of_the_descriptor_keeps_nobody_off_once_the_engine_is_gone()
    {
        var engine = Open();
        // Other threads open and close files meanwhile: a closed descriptor has no target.
        var copies = Directory.GetFiles("/proc/self/fd").Where(link => new FileInfo(link).LinkTarget == _path)
            .Select(link => LibC.dup(int.Parse(Path.GetFileName(link), CultureInfo.InvariantCulture))).ToList();
        Assert.NotEmpty(copies);
        engine.Dispose();
        try { Open().Dispose(); }
        finally { copies.ForEach(copy => _ = LibC.close(copy)); }
    }

    [Fact]
    public void A_region_takes_a_capacity_up_to_its_maximum()
    {
        Open().Dispose();
        using (var engine = Open(64)) Assert.Equal(64 * Engines.Mebi, engine.Statistics().CapacityBytes);
        Assert.Contains("at most", Assert.Throws<RegionException>(() => Open(65)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_index_is_refused_by_name()
    {
        using (var engine = Open())
        {
            var client = engine.Client(new TmemClientId(1));
            var pool = Engines.Pool(client);
            client.Put(pool, new ObjectId(1), 0, Pages.Text(1));
        }
        // The first object lies at the start of the first object span; its page descriptor is its sixth word.
        var found = SparseFile.Read(_path).Find(IsTheObject);
        Assert.True(found > 0);
        Overwrite(found + 5 * 8, 0x123457);
        Assert.Contains("damaged", Assert.Throws<RegionException>(Open).Message, StringComparison.Ordinal);

        static bool IsTheObject(ReadOnlySpan<ulong> words) => words.Length > 8
            && words[1] == 1 && words[2] == 0 && words[3] == 0 && (words[0] & 3) == 2 && words[8] == 1;
    }

    private TmemEngine Open() => Open(16);

    private TmemEngine Open(int mebi) =>
        TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = mebi * Engines.Mebi, RegionPath = _path, CompactInBackground = false,
        });

    private void Overwrite(long offset, int value)
    {
        using var file = new FileStream(_path, FileMode.Open, FileAccess.Write);
        file.Seek(offset, SeekOrigin.Begin);
        file.Write(BitConverter.GetBytes(value));
    }
}
