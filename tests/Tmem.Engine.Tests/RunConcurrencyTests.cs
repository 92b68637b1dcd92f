using System.Buffers.Binary;

namespace Tmem.Engine.Tests;

/// <summary>
/// Runs beside single puts, replaces and flushes, compaction and eviction: each page of a run was put under that handle, a
/// persistent one that nobody flushes is always there, and the store is sound in the end.
/// </summary>
public sealed class RunConcurrencyTests
{
    private const int Objects = 3;
    private const int Indexes = 300;
    private const int Longest = 100;

    /// <summary>Nothing below this index is flushed.</summary>
    private const int Kept = 90;

    [Theory]
    [InlineData(PoolFlags.Persistent, 64)]
    [InlineData(PoolFlags.None, 64)]
    [InlineData(PoolFlags.Shared, 2)]
    [InlineData(PoolFlags.None, 2)]
    public void Every_page_of_a_run_is_one_that_was_put_there(PoolFlags flags, int mebi)
    {
        using var engine = Engines.Anonymous(mebi * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, flags);
        for (var obj = 0; obj < Objects; obj++)
            Assert.Equal(TmemStatus.Ok, client.PutRange(pool, new ObjectId((ulong)obj), 0, Run(obj, 0, Kept, 1), out _));
        long wrong = 0, lost = 0, hits = 0;
        var threads = Enumerable.Range(0, 4).Select(number => new Thread(() => Work(new Random(number)))).ToList();
        threads.ForEach(thread => thread.Start());
        while (threads.Exists(thread => thread.IsAlive))
        {
            engine.Compact(64);
            Assert.True(engine.Verify().Clean);
        }
        threads.ForEach(thread => thread.Join());
        Assert.Equal((0L, 0L), (wrong, lost));
        Assert.True(hits > 1000, $"{hits} hits show nothing");
        Engines.AssertSound(engine);

        void Work(Random random)
        {
            var outcomes = new TmemStatus[Longest];
            var buffer = new byte[Longest * Pages.Size];
            for (var i = 0; i < 1500; i++)
            {
                var obj = random.Next(Objects);
                var id = new ObjectId((ulong)obj);
                var first = random.Next(Indexes);
                var count = random.Next(1, Longest);
                switch (random.Next(8))
                {
                    case 0:
                        client.PutRange(pool, id, (uint)first, Run(obj, first, count, random.Next(50)), out _);
                        break;
                    case 1:
                        for (var n = 0; n < 20; n++) client.Replace(pool, id, (uint)first, Run(obj, first, 1, random.Next(50)));
                        break;
                    case 2:
                        client.FlushPage(pool, id, (uint)(first + Kept));
                        break;
                    case 3:
                        client.FlushRange(pool, id, (uint)(first + Kept), (uint)(first + Kept + count), out _);
                        break;
                    default:
                        client.GetRange(pool, id, (uint)first, buffer.AsSpan(0, count * Pages.Size), outcomes.AsSpan(0, count));
                        for (var n = 0; n < count; n++)
                            Check(obj, first + n, outcomes[n], buffer.AsSpan(n * Pages.Size, Pages.Size));
                        break;
                }
            }
        }

        void Check(int obj, int index, TmemStatus outcome, ReadOnlySpan<byte> page)
        {
            if (outcome == TmemStatus.Ok)
            {
                Interlocked.Increment(ref hits);
                if (!page.SequenceEqual(Run(obj, index, 1, BinaryPrimitives.ReadInt32LittleEndian(page[8..]))))
                    Interlocked.Increment(ref wrong);
                return;
            }
            if (outcome != TmemStatus.Miss || page.ContainsAnyExcept((byte)0)) Interlocked.Increment(ref wrong);
            else if (index < Kept && flags == PoolFlags.Persistent) Interlocked.Increment(ref lost);
        }
    }

    /// <summary>Pages that hold their handle and their seed, and a body of that seed's kind.</summary>
    private static byte[] Run(int obj, int first, int count, int seed)
    {
        var run = new byte[count * Pages.Size];
        for (var i = 0; i < count; i++)
        {
            var page = run.AsSpan(i * Pages.Size, Pages.Size);
            s_bodies[seed % s_bodies.Length].CopyTo(page);
            BinaryPrimitives.WriteInt32LittleEndian(page, obj);
            BinaryPrimitives.WriteInt32LittleEndian(page[4..], first + i);
            BinaryPrimitives.WriteInt32LittleEndian(page[8..], seed);
        }
        return run;
    }

    private static readonly byte[][] s_bodies = [.. Enumerable.Range(0, 20).Select(seed => Pages.Any(seed))];
}
