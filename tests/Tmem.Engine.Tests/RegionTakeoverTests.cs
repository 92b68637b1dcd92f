using Tmds.Linux;
using Tmem.Engine.Native;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests;

/// <summary>
/// A region that another engine still serves is prepared, changes meanwhile, and is then taken over in its latest state.
/// </summary>
public class RegionTakeoverTests
{
    private static readonly TmemClientId s_client = new(1);
    private static readonly ObjectId s_object = new(1);

    [Fact]
    public void What_changed_after_it_was_prepared_is_there_when_it_is_opened()
    {
        var memory = RegionMemory.CreateDescriptor();
        RegionTakeover takeover;
        PoolId pool;
        using (var engine = TmemEngine.Open(Options(LibC.dup(memory))))
        {
            pool = Engines.Pool(engine.Client(s_client));
            for (uint i = 0; i < 5000; i++)
                Assert.Equal(TmemStatus.Ok, engine.Client(s_client).Put(pool, s_object, i, Pages.Any((int)i)));
            takeover = RegionTakeover.Prepare(Options(memory));
            // Some memory that is mapped there goes, other memory is added.
            for (uint i = 0; i < 4000; i++) Assert.Equal(TmemStatus.Ok, engine.Client(s_client).FlushPage(pool, s_object, i));
            engine.Compact(int.MaxValue);
            for (uint i = 8000; i < 12000; i++)
                Assert.Equal(TmemStatus.Ok, engine.Client(s_client).Put(pool, s_object, i, Pages.Any((int)i)));
        }
        using (takeover)
        using (var engine = takeover.Open())
        {
            Assert.True(engine.Attached);
            Engines.AssertSound(engine);
            var page = new byte[Pages.Size];
            for (uint i = 0; i < 12000; i++)
            {
                var there = i is >= 4000 and < 5000 or >= 8000;
                Assert.Equal(there ? TmemStatus.Ok : TmemStatus.Miss, engine.Client(s_client).Get(pool, s_object, i, page));
                if (there) Assert.Equal(Pages.Any((int)i), page);
            }
        }
    }

    /// <summary>
    /// A descriptor that is closed twice closes, the second time, a file that another thread has opened in between.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public unsafe void An_opening_that_fails_closes_what_it_was_given_once(bool isPrepared)
    {
        var before = SystemCalls.VainCloses;
        for (var round = 0; round < 20; round++)
        {
            var memory = RegionMemory.CreateDescriptor();
            TmemEngine.Open(Options(LibC.dup(memory))).Dispose();
            using var takeover = isPrepared ? RegionTakeover.Prepare(Options(memory)) : null;
            var file = FileOf(memory);
            ulong damage = 1;
            Assert.Equal(8, (int)(long)LibC.pwrite(memory, &damage, 8, 0));
            Assert.Throws<RegionException>(() => takeover?.Open() ?? TmemEngine.Open(Options(memory)));
            Assert.NotEqual(file, FileOf(memory));
        }
        Assert.Equal(before, SystemCalls.VainCloses);
    }

    /// <summary>The file of a descriptor; the number may belong to another file by now.</summary>
    private static unsafe ulong FileOf(int descriptor)
    {
        stat facts;
        return LibC.fstat(descriptor, &facts) == 0 ? (ulong)facts.st_ino : 0;
    }

    /// <summary>A refusal of the options themselves leaves nothing behind either.</summary>
    [Fact]
    public void Options_that_are_refused_close_what_was_prepared()
    {
        var memory = RegionMemory.CreateDescriptor();
        TmemEngine.Open(Options(LibC.dup(memory))).Dispose();
        var file = FileOf(memory);
        using var takeover = RegionTakeover.Prepare(Options(memory) with { MaximumCapacityBytes = 1 });
        Assert.Throws<ArgumentException>(takeover.Open);
        Assert.NotEqual(file, FileOf(memory));
    }

    [Fact]
    public unsafe void What_a_region_grows_by_is_made_present_by_refresh()
    {
        var memory = RegionMemory.CreateDescriptor();
        using var engine = TmemEngine.Open(Options(LibC.dup(memory)));
        using var takeover = RegionTakeover.Prepare(Options(memory));
        var pool = Engines.Pool(engine.Client(s_client));
        var before = PresentBytes(takeover.Memory!);
        for (uint i = 0; i < 5000; i++)
            Assert.Equal(TmemStatus.Ok, engine.Client(s_client).Put(pool, s_object, i, Pages.Any((int)i)));
        Assert.Equal(before, PresentBytes(takeover.Memory!));
        takeover.Refresh();
        Assert.InRange(PresentBytes(takeover.Memory!), engine.Statistics().PageSpanBytes, long.MaxValue);
    }

    /// <summary>The page-table memory of this mapping.</summary>
    private static unsafe long PresentBytes(RegionMemory memory) =>
        long.Parse(File.ReadLines("/proc/self/smaps")
            .SkipWhile(line => !line.StartsWith($"{(long)memory.Start:x}-", StringComparison.Ordinal))
            .First(line => line.StartsWith("Rss:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) << 10;

    [Fact]
    public unsafe void Preparing_is_refused_as_opening_would_be()
    {
        var memory = RegionMemory.CreateDescriptor();
        using var engine = TmemEngine.Open(Options(memory));
        var options = new EngineOptions { CapacityBytes = 100_000 * Engines.Mebi, RegionDescriptor = memory };
        Assert.Contains("was made for a capacity", Assert.Throws<RegionException>(() => RegionTakeover.Prepare(options)).Message,
            StringComparison.Ordinal);
        engine.Memory.Start[8] += 2; // the version
        Assert.Contains("format version", Assert.Throws<RegionException>(() => RegionTakeover.Prepare(Options(memory))).Message,
            StringComparison.Ordinal);
        engine.Memory.Start[8] -= 2;
        // What was prepared in vain leaves the engine that serves untouched.
        RegionTakeover.Prepare(Options(LibC.dup(memory))).Dispose();
        Engines.AssertSound(engine);
    }

    [Fact]
    public void Memory_without_a_region_yet_is_made_one_when_it_is_opened()
    {
        using var takeover = RegionTakeover.Prepare(Options(RegionMemory.CreateDescriptor()));
        using var engine = takeover.Open();
        Assert.False(engine.Attached);
        Engines.AssertSound(engine);
    }

    private static EngineOptions Options(int memory) =>
        new() { CapacityBytes = 64 * Engines.Mebi, RegionDescriptor = memory, CompactInBackground = false };
}
