using System.Diagnostics;
using System.Globalization;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests;

/// <summary>Memory that the region holds and nobody counts, because somebody read its holes.</summary>
public sealed unsafe class StrayMemoryTests
{
    private const long Capacity = 8 * Engines.Mebi;
    private const long Much = 10 * Engines.Mebi;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Memory_that_a_reader_of_holes_gave_the_region_goes_back_and_nothing_else_does(bool inBackground)
    {
        using var engine = Open(inBackground);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client);
        for (uint i = 0; i < 2000; i++) Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(i % 7), i, Pages.Text((int)i)));
        for (uint i = 0; i < 2000; i += 3) client.FlushPage(pool, new ObjectId(i % 7), i);
        if (inBackground) ReadHolesUntilMuchHasGoneBack(engine);
        else ReadHolesAndGiveBack(engine);
        var page = new byte[Pages.Size];
        for (uint i = 0; i < 2000; i++)
        {
            if (i % 3 == 0) continue;
            Assert.Equal(TmemStatus.Ok, client.Get(pool, new ObjectId(i % 7), i, page));
            Assert.Equal(Pages.Text((int)i), page);
        }
        Engines.AssertSound(engine);
    }

    [Fact]
    public void It_goes_back_beside_a_load_without_a_loss_to_anybody()
    {
        using var engine = Open(inBackground: false);
        var client = engine.Client(new TmemClientId(1));
        using var end = new CancellationTokenSource();
        long wrong = 0;
        var threads = Enumerable.Range(0, 2).Select(number => new Thread(() =>
        {
            var pool = Engines.Pool(client);
            var random = new Random(number);
            var stored = new int[600];
            var page = new byte[Pages.Size];
            for (var i = 1; !end.IsCancellationRequested; i++)
            {
                var index = (uint)random.Next(stored.Length);
                var got = client.Get(pool, new ObjectId(1), index, page);
                if (stored[index] == 0 ? got != TmemStatus.Miss : got != TmemStatus.Ok
                    || !page.AsSpan().SequenceEqual(Pages.Any(stored[index])))
                    Interlocked.Increment(ref wrong);
                stored[index] = random.Next(3) == 0 ? 0 : random.Next(1, 500);
                if (stored[index] == 0) client.FlushPage(pool, new ObjectId(1), index);
                else if (client.Put(pool, new ObjectId(1), index, Pages.Any(stored[index])) != TmemStatus.Ok)
                    Interlocked.Increment(ref wrong);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        for (var round = 0; round < 3; round++)
        {
            ReadHoles(engine);
            engine.Compact(50);
            Engines.AssertClean(engine.Verify());
        }
        end.Cancel();
        threads.ForEach(thread => thread.Join());
        Assert.Equal(0, wrong);
        engine.Compact();
        Assert.InRange(engine.Memory.HeldBytes, 0, engine.Statistics().UsedBytes);
        Engines.AssertSound(engine);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_region_is_left_out_of_core_dumps(bool inMemfd)
    {
        using var engine = inMemfd ? Open(inBackground: false) : Engines.Still(Capacity);
        var start = ((ulong)engine.Memory.Start).ToString("x", CultureInfo.InvariantCulture);
        var lines = File.ReadAllLines("/proc/self/smaps")
            .SkipWhile(line => !line.StartsWith(start + "-", StringComparison.Ordinal)).Skip(1);
        Assert.Contains(" dd", lines.First(line => line.StartsWith("VmFlags:", StringComparison.Ordinal)),
            StringComparison.Ordinal);
    }

    private static void ReadHolesAndGiveBack(TmemEngine engine)
    {
        ReadHoles(engine);
        Assert.InRange(engine.Memory.HeldBytes - engine.Statistics().UsedBytes, Much, long.MaxValue);
        engine.Compact();
        Assert.InRange(engine.Memory.HeldBytes, 0, engine.Statistics().UsedBytes);
        Assert.InRange(engine.Statistics().StrayBytesReturned, Much, long.MaxValue);
    }

    /// <summary>
    /// The thread may run at any moment, during the reading too, and then counts as returned only what the reader has left; so
    /// read once more.
    /// </summary>
    private static void ReadHolesUntilMuchHasGoneBack(TmemEngine engine)
    {
        var deadline = Stopwatch.StartNew();
        while (engine.Statistics().StrayBytesReturned < Much)
        {
            ReadHoles(engine);
            Assert.True(SpinWait.SpinUntil(() => engine.Memory.HeldBytes <= engine.Statistics().UsedBytes, s_patience),
                $"{engine.Memory.HeldBytes} bytes are held, {engine.Statistics().UsedBytes} counted");
            Assert.True(deadline.Elapsed < s_patience, $"{engine.Statistics().StrayBytesReturned} bytes were returned");
        }
    }

    private static TmemEngine Open(bool inBackground) => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = Capacity, RegionDescriptor = RegionMemory.CreateDescriptor(), CompactInBackground = inBackground,
    });

    /// <summary>
    /// As a core dump does, through any mapping of the memory; the account does not depend on which. Reads all of the region that
    /// has been used, and 4 MiB beyond it, because the region extends far beyond.
    /// </summary>
    private static long ReadHoles(TmemEngine engine)
    {
        long sum = 0;
        var end = (long)engine.Slabs.Spans.PlaceOf((uint)engine.Slabs.Spans.HighWater) + 4 * Engines.Mebi;
        for (long at = 0; at < end; at += RegionLayout.PageSize) sum += Volatile.Read(ref engine.Memory.Start[at]);
        return sum;
    }
}
