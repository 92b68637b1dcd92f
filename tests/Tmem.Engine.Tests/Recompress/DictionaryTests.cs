using Tmem.Engine.Format;

namespace Tmem.Engine.Tests.Recompress;

/// <summary>The life of a dictionary: who needs it, when it goes, and what its damage costs.</summary>
public sealed class DictionaryTests : IDisposable
{
    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-dictionary-{Environment.ProcessId}-{Guid.NewGuid():N}.region");
    private readonly List<string> _copies = [];

    public void Dispose()
    {
        File.Delete(_path);
        _copies.ForEach(File.Delete);
    }

    [Fact]
    public void It_goes_with_the_last_page_and_not_before()
    {
        using var engine = Cold.Engine();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        Cold.Fill(client, pool, 0, 300);
        Cold.Settle(engine);
        var needs = engine.Dictionaries.Needs(0);
        Assert.Equal(needs, engine.Statistics().Total.DictionaryPages);
        Assert.True(engine.Slabs.Spans.BytesOf(SpanKind.Dictionaries) > 0);

        // A group's own dictionary stays for pages to come; another takes its place.
        engine.Recompressor!.Keeper.Retire(0);
        engine.Recompressor.Keeper.Tidy();
        Assert.True(engine.Dictionaries[0].IsThere);
        Assert.NotNull(engine.Dictionaries.Open(0));
        for (uint i = 1; i < 300; i++) client.FlushPage(pool, new ObjectId(1), i);
        engine.Recompressor.Keeper.Tidy();
        Assert.Equal(1, engine.Dictionaries.Needs(0));
        Assert.True(engine.Dictionaries[0].IsThere);
        Cold.AssertHeld(client, pool, 0, 1);
        client.Put(pool, new ObjectId(1), 0, Cold.Words(5));
        Assert.Equal(0, engine.Dictionaries.Needs(0));
        engine.Recompressor.Keeper.Tidy();
        Assert.False(engine.Dictionaries[0].IsThere);
        Assert.Null(engine.Dictionaries.Open(0));
        Assert.Equal(0, engine.Slabs.Spans.BytesOf(SpanKind.Dictionaries));
        Assert.Equal(0, engine.Dictionaries.TableBytes);
        Engines.AssertSound(engine);
    }

    /// <summary>Who has copied a page's bytes may still unpack them after the page is gone.</summary>
    [Fact]
    public void It_waits_for_calls_that_began_before()
    {
        using var engine = Cold.Engine();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        Cold.Fill(client, pool, 0, 300);
        Cold.Settle(engine);
        using var isIn = new ManualResetEventSlim();
        using var leave = new ManualResetEventSlim();
        var reader = new Thread(() =>
        {
            using var call = engine.Gate.Enter();
            isIn.Set();
            leave.Wait();
        });
        reader.Start();
        isIn.Wait(TestContext.Current.CancellationToken);
        client.DestroyPool(pool);
        engine.Recompressor!.Keeper.Retire(0);
        engine.Recompressor.Keeper.Tidy();
        var isThere = engine.Dictionaries[0].IsThere && engine.Dictionaries.Open(0) is not null;
        // First: a call that does not end would keep the engine from its own.
        leave.Set();
        reader.Join();
        Assert.True(isThere);
        engine.Recompressor.Keeper.Tidy();
        Assert.False(engine.Dictionaries[0].IsThere);
        Assert.Null(engine.Dictionaries.Open(0));
        Engines.AssertSound(engine);
    }

    [Fact]
    public void It_is_there_after_an_attach_and_goes_on()
    {
        PoolId pool;
        using (var engine = Open(_path))
        {
            Assert.Equal(RegionLayout.PlainVersion, VersionOf(engine));
            var client = engine.Client(new TmemClientId(1));
            pool = Engines.Pool(client);
            Cold.Fill(client, pool, 0, 300);
            Cold.Settle(engine);
            Assert.Equal(RegionLayout.Version, VersionOf(engine));
        }
        using (var engine = Open(_path, recompresses: false))
        {
            Assert.InRange(engine.Dictionaries.Needs(0), 290, 300);
            Engines.AssertSound(engine);
            Cold.AssertHeld(engine.Client(new TmemClientId(1)), pool, 0, 300);
        }
        using (var engine = Open(_path))
        {
            var client = engine.Client(new TmemClientId(1));
            Cold.Fill(client, pool, 300, 100);
            Cold.Settle(engine);
            Assert.InRange(engine.Dictionaries.Needs(0), 390, 400);
            Assert.False(engine.Dictionaries[1].IsThere);
            client.DestroyPool(pool);
        }
        // Nothing needs it now.
        using (var engine = Open(_path))
        {
            Assert.False(engine.Dictionaries[0].IsThere);
            Engines.AssertSound(engine);
        }
    }

    /// <summary>A program that knows no dictionaries must refuse a region that has some: it reads the version.</summary>
    [Fact]
    public void A_region_of_an_unknown_version_is_refused()
    {
        using (var engine = Open(_path)) Engines.Pool(engine.Client(new TmemClientId(1)));
        using (var file = new FileStream(_path, FileMode.Open, FileAccess.Write))
        {
            file.Seek(8, SeekOrigin.Begin);
            file.Write(BitConverter.GetBytes(RegionLayout.Version + 1));
        }
        Assert.Contains("version 7", Assert.Throws<RegionException>(() => Open(_path)).Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// Pages that need the damaged part are corrupt, and the verifier names them; all others are what they were.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public unsafe void Damage_costs_the_pages_that_need_it_and_no_others(bool whileOpen)
    {
        PoolId pool;
        ObjectId others = new(2);
        using (var engine = Open(_path))
        {
            var client = engine.Client(new TmemClientId(1));
            pool = Engines.Pool(client);
            Cold.Fill(client, pool, 0, 300);
            for (uint i = 0; i < 50; i++) client.Put(pool, others, i, Pages.Text((int)i));
            Cold.Settle(engine);
            for (uint i = 0; i < 50; i++) client.Put(pool, others, i, Pages.Text((int)i));
            if (whileOpen) DamageContent(engine);
            if (whileOpen) Check(engine);
            else
            {
                DamageContent(engine);
                _copies.Add(Copy(engine));
            }
        }
        if (whileOpen) return;
        using var again = Open(_copies[0]);
        Check(again);

        static void DamageContent(TmemEngine engine)
        {
            ref var entry = ref engine.Dictionaries[0];
            // The second half, which some pages copy from whatever it was trained on. The beginning has the tables, which are
            // copied when it is opened.
            var content = new Span<byte>(engine.Slabs.At(entry.Slot) + DictionaryEntry.ContentOffset, entry.Length);
            foreach (ref var one in content[(content.Length / 2)..]) one ^= 0x55;
        }

        void Check(TmemEngine engine)
        {
            var client = engine.Client(new TmemClientId(1));
            var report = engine.Verify(quiescent: true);
            Assert.Contains(report.Problems, one => one.StartsWith("dictionary 0 fails its checksum", StringComparison.Ordinal));
            var (page, corrupt) = (new byte[Pages.Size], new List<uint>());
            for (uint i = 0; i < 300; i++)
            {
                var status = client.Get(pool, new ObjectId(1), i, page);
                if (status == TmemStatus.Corrupt) corrupt.Add(i);
                else Assert.Equal(Cold.Words((int)i), page);
            }
            Assert.NotEmpty(corrupt);
            Assert.Equal(corrupt.Take(90).Select(i => new PageHandle(pool, new ObjectId(1), i)).Order(Comparer<PageHandle>.Create(
                (a, b) => a.Index.CompareTo(b.Index))), report.CorruptPages.Take(90));
            for (uint i = 0; i < 50; i++)
            {
                Assert.Equal(TmemStatus.Ok, client.Get(pool, others, i, page));
                Assert.Equal(Pages.Text((int)i), page);
            }
        }
    }

    /// <summary>In the dictionary, its slot and its entry, or in a page: each page is right or Corrupt.</summary>
    [Fact]
    public unsafe void A_flipped_bit_gives_no_wrong_page()
    {
        using var engine = Cold.Engine();
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        Cold.Fill(client, pool, 0, 150);
        Cold.Settle(engine);
        var page = new byte[Pages.Size];
        var random = new Random(1);
        var corrupt = 0;
        for (var round = 0; round < 400; round++)
        {
            var entry = engine.Dictionaries[0];
            var place = (round % 4) switch
            {
                0 => RegionLayout.DictionaryTableOffset + random.Next(DictionaryEntry.Bytes),
                1 => (long)entry.Slot + random.Next(DictionaryEntry.ContentOffset),
                2 => (long)entry.Slot + DictionaryEntry.ContentOffset + random.Next(entry.Length),
                _ => (long)PageDescriptor.Slot(*Engines.Leaf(engine, pool, new ObjectId(1), (uint)random.Next(150)))
                    + SlotHeader.Bytes + random.Next(500),
            };
            engine.Memory.Start[place] ^= (byte)(1 << round % 8);
            for (uint i = 0; i < 150; i++)
            {
                var status = client.Get(pool, new ObjectId(1), i, page);
                if (status == TmemStatus.Corrupt) corrupt++;
                else Assert.True(status == TmemStatus.Ok && Cold.Words((int)i).AsSpan().SequenceEqual(page),
                    $"{place:x}: {status}");
            }
            engine.Memory.Start[place] ^= (byte)(1 << round % 8);
        }
        Assert.True(corrupt > 100, $"only {corrupt} reads met damage");
        Engines.AssertSound(engine);
        Cold.AssertHeld(client, pool, 0, 150);
    }

    /// <summary>
    /// A damaged entry leads to no dictionary: its pages are corrupt, the region opens, and everything else is whole.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public unsafe void A_damaged_entry_costs_its_pages(int word)
    {
        PoolId pool;
        using (var engine = Open(_path))
        {
            var client = engine.Client(new TmemClientId(1));
            pool = Engines.Pool(client);
            Cold.Fill(client, pool, 0, 300);
            Cold.Settle(engine);
            for (uint i = 0; i < 50; i++) client.Put(pool, new ObjectId(2), i, Pages.Text((int)i));
            ((ulong*)(engine.Memory.Start + RegionLayout.DictionaryTableOffset))[word] ^= 1UL << 24;
            _copies.Add(Copy(engine));
        }
        using var again = Open(_copies[0]);
        var reader = again.Client(new TmemClientId(1));
        var page = new byte[Pages.Size];
        var report = again.Verify(quiescent: true);
        Assert.Contains(report.Problems, one => one.StartsWith("dictionary 0 has a damaged entry", StringComparison.Ordinal));
        Assert.Equal(TmemStatus.Corrupt, reader.Get(pool, new ObjectId(1), 3, page));
        for (uint i = 0; i < 50; i++)
        {
            Assert.Equal(TmemStatus.Ok, reader.Get(pool, new ObjectId(2), i, page));
            Assert.Equal(Pages.Text((int)i), page);
        }
        // What is left of it can be replaced, and its number is not given to another dictionary meanwhile.
        Cold.Fill(reader, pool, 0, 300);
        Cold.Settle(again);
        Cold.AssertHeld(reader, pool, 0, 300);
    }

    /// <summary>
    /// A process killed after any store of two passes: a training, pages in their new form, dictionaries that go.
    /// </summary>
    [Fact]
    public void Wherever_the_process_dies_nothing_is_lost()
    {
        var kills = 0;
        PoolId pool;
        using (var engine = Open(_path))
        {
            var client = engine.Client(new TmemClientId(1));
            pool = Engines.Pool(client);
            Cold.Fill(client, pool, 0, 60);
            Cold.Pass(engine);
            var random = new Random(1);
            engine.Recompressor!.AfterStore = () =>
            {
                // All of the first few, of which each is of another kind, and some of the rest.
                if (kills++ > 20 && random.Next(40) != 0) return;
                var copy = Copy(engine);
                _copies.Add(copy);
            };
            Cold.Pass(engine);
            engine.Recompressor.Keeper.Retire(0);
            for (uint i = 0; i < 60; i++) client.Put(pool, new ObjectId(1), i, Cold.Words((int)i));
            var before = _copies.Count;
            kills = 0;
            engine.Recompressor.Keeper.Tidy();
            Assert.Equal(2, _copies.Count - before);
            engine.Recompressor.AfterStore = null;
        }
        Assert.True(_copies.Count > 20, $"only {_copies.Count} kills");
        foreach (var copy in _copies)
        {
            using var engine = Open(copy);
            Engines.AssertSound(engine);
            Cold.AssertHeld(engine.Client(new TmemClientId(1)), pool, 0, 60);
            Cold.Settle(engine);
            Engines.AssertSound(engine);
        }
    }

    private static unsafe uint VersionOf(TmemEngine engine) => ((Superblock*)engine.Memory.Start)->Version;

    private static TmemEngine Open(string path, bool recompresses = true) => TmemEngine.Open(Cold.Options(4 * Engines.Mebi) with
    {
        MaximumCapacityBytes = 4 * Engines.Mebi, RegionPath = path, RecompressesWhenAsked = recompresses,
        Recompression = Cold.Settings with { FewestSampleBytes = 32 << 10 },
    });

    private unsafe string Copy(TmemEngine engine)
    {
        var path = $"{_path}.{_copies.Count}";
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write);
        var used = RegionLayout.HeaderBytes(engine.Slabs.Spans.Count)
            + engine.Slabs.Spans.HighWater * (long)RegionLayout.SpanBytes;
        file.Write(new ReadOnlySpan<byte>(engine.Memory.Start, (int)used));
        file.SetLength(engine.Memory.Length);
        return path;
    }
}
