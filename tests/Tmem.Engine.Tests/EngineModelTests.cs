using CsCheck;
using Tmem.Engine.Tests.Recompress;

namespace Tmem.Engine.Tests;

/// <summary>
/// Sequences of every operation on pools of every kind, page size and codec against a dictionary, with the verifier after each
/// sequence.
/// </summary>
public sealed class EngineModelTests
{
    /// <summary>A dictionary of a few pages.</summary>
    private static readonly Engine.Recompress.RecompressionSettings s_few = Cold.Settings with
    {
        DictionaryBytes = 4 << 10, FewestSampleBytes = 32 << 10,
    };
    private static long s_recompressions;

    private static readonly uint[] s_indexes =
        [0, 1, 2, 63, 64, 65, 4095, 4096, 70_000, 300_000, 20_000_000, uint.MaxValue - 1, uint.MaxValue];

    private abstract record Step;
    private sealed record Put(int Pool, ulong Object, uint Index, int Seed, bool Replace) : Step;
    private sealed record Get(int Pool, ulong Object, uint Index) : Step;
    private sealed record Read(int Pool, ulong Object, uint Index, int From, int To) : Step;
    private sealed record Write(int Pool, ulong Object, uint Index, int From, int To, int Seed) : Step;
    private sealed record Exchange(int PoolA, ulong ObjectA, uint IndexA, int PoolB, ulong ObjectB, uint IndexB) : Step;
    private sealed record PutRun(int Pool, ulong Object, uint First, int Count, int Seed) : Step;
    private sealed record GetRun(int Pool, ulong Object, uint First, int Count) : Step;
    private sealed record Flush(int Pool, ulong Object, uint Index) : Step;
    private sealed record FlushRange(int Pool, ulong Object, uint First, uint Last, bool Whole) : Step;
    private sealed record Next(int Pool, ulong Object, uint From) : Step;
    private sealed record Renew(int Pool) : Step;
    private sealed record Limit(int Pool, int Kibibytes) : Step;
    private sealed record Recode(int Pool, int Codec) : Step;
    private sealed record Recompress(int Passes) : Step;

    private static readonly Gen<int> s_pool = Gen.Int[0, PoolModel.Kinds.Length - 1];
    private static readonly Gen<ulong> s_object = Gen.ULong[0, 5];
    // Few enough that operations often meet a page.
    private static readonly Gen<uint> s_index = Gen.Frequency(
        (3, Gen.UInt[0, 5]), (2, Gen.Int[0, s_indexes.Length - 1].Select(i => s_indexes[i])), (1, Gen.UInt[0, 200]));
    // Mostly within a node, now and then across the end of one or two.
    private static readonly Gen<int> s_run = Gen.Frequency((4, Gen.Int[1, 12]), (1, Gen.Int[40, 150]));
    // In thousandths of a page, now and then beyond it or reversed.
    private static readonly Gen<int> s_at =
        Gen.Frequency((8, Gen.Int[0, 1000]), (1, Gen.Const(0)), (1, Gen.Const(1000)), (1, Gen.Int[-20, 1020]));

    private static readonly Gen<Step> s_step = Gen.Frequency(
        (10, Gen.Select(s_pool, s_object, s_index, Gen.Int[0, 200], Gen.Bool, (p, o, i, s, r) => (Step)new Put(p, o, i, s, r))),
        (6, Gen.Select(s_pool, s_object, s_index, (p, o, i) => (Step)new Get(p, o, i))),
        (3, Gen.Select(s_pool, s_object, s_index, s_at, s_at, (p, o, i, f, t) => (Step)new Read(p, o, i, f, t))),
        (6, Gen.Select(s_pool, s_object, s_index, s_at, s_at, Gen.Int[0, 200],
            (p, o, i, f, t, s) => (Step)new Write(p, o, i, f, t, s))),
        (6, Gen.Select(s_pool, s_object, s_index, s_pool, s_object, s_index,
            (p, o, i, q, r, j) => (Step)new Exchange(p, o, i, q, r, j))),
        (3, Gen.Select(s_pool, s_object, s_index, s_run, Gen.Int[0, 200], (p, o, i, n, s) => (Step)new PutRun(p, o, i, n, s))),
        (4, Gen.Select(s_pool, s_object, s_index, s_run, (p, o, i, n) => (Step)new GetRun(p, o, i, n))),
        (3, Gen.Select(s_pool, s_object, s_index, (p, o, i) => (Step)new Flush(p, o, i))),
        (3, Gen.Select(s_pool, s_object, s_index, s_index, Gen.Int[0, 2],
            (p, o, a, b, whole) => (Step)new FlushRange(p, o, Math.Min(a, b), Math.Max(a, b), whole == 0))),
        (2, Gen.Select(s_pool, s_object, s_index, (p, o, f) => (Step)new Next(p, o, f))),
        (1, s_pool.Select(p => (Step)new Renew(p))),
        (1, Gen.Select(s_pool, Gen.Frequency((1, Gen.Const(0)), (1, Gen.Int[-1, 60]), (2, Gen.Int[60, 1000])),
            (p, k) => (Step)new Limit(p, k))),
        (1, Gen.Select(s_pool, Gen.Int[0, 3], (p, c) => (Step)new Recode(p, c))));

    // One pass sees, the next stores anew; between them other operations use and replace pages.
    private static readonly Gen<Step> s_recompressed =
        Gen.Frequency((6, s_step), (1, Gen.Int[1, 3].Select(n => (Step)new Recompress(n))));

    private static readonly Gen<(int Size, int Codec)[]> s_shapes =
        Gen.Select(Gen.Int[0, PoolShapes.PageSizes.Length - 1], Gen.Int[0, 2]).Array[PoolModel.Kinds.Length];

    [Fact]
    public void With_room_every_kind_of_pool_is_a_dictionary() =>
        Gen.Select(s_shapes, s_step.List[1, 400])
            .Sample((shapes, steps) => Run(shapes, steps, 64 * Engines.Mebi, tight: false), iter: 60, threads: 1);

    [Fact]
    public void Without_room_ephemeral_pages_vanish_and_persistent_ones_stay() =>
        Gen.Select(s_shapes, s_step.List[200, 900])
            .Sample((shapes, steps) => Run(shapes, steps, Engines.Mebi, tight: true), iter: 40, threads: 1);

    [Theory]
    [InlineData(64, false)]
    [InlineData(3, true)]
    public void Recompression_changes_no_answer(int mebibytes, bool tight)
    {
        s_recompressions = 0;
        Gen.Select(s_shapes, s_recompressed.List[200, 700])
            .Sample((shapes, steps) => Run(shapes, steps, mebibytes * Engines.Mebi, tight, recompresses: true), iter: 30,
                threads: 1);
        Assert.True(s_recompressions > 40, $"only {s_recompressions} pages were recompressed; the test tests nothing");
    }

    private static void Run((int Size, int Codec)[] shapes, List<Step> steps, long capacity, bool tight,
        bool recompresses = false)
    {
        // At level 1 the tables of a dictionary fit a store of this size.
        using var engine = recompresses
            ? TmemEngine.Open(Cold.Options(capacity) with { RecompressionLevel = 1, Recompression = s_few })
            : Engines.Anonymous(capacity);
        var client = engine.Client(new TmemClientId(1));
        var pools = shapes.Select((shape, number) =>
            new PoolModel(client, number, PoolShapes.PageSizes[shape.Size], (TmemCodec)shape.Codec, tight)).ToArray();
        foreach (var step in steps)
        {
            switch (step)
            {
                case Put put: pools[put.Pool].Put(put.Object, put.Index, put.Seed, put.Replace); break;
                case Get get: pools[get.Pool].Get(get.Object, get.Index); break;
                case Read read: pools[read.Pool].Read(read.Object, read.Index, read.From, read.To); break;
                case Write write: pools[write.Pool].Write(write.Object, write.Index, write.From, write.To, write.Seed); break;
                case Exchange swap: pools[swap.PoolA]
                    .Exchange(swap.ObjectA, swap.IndexA, pools[swap.PoolB], swap.ObjectB, swap.IndexB); break;
                case PutRun run: pools[run.Pool].PutRun(run.Object, run.First, run.Count, run.Seed); break;
                case GetRun run: pools[run.Pool].GetRun(run.Object, run.First, run.Count); break;
                case Flush flush: pools[flush.Pool].Flush(flush.Object, flush.Index); break;
                case FlushRange range: pools[range.Pool].FlushRange(range.Object, range.First, range.Last, range.Whole); break;
                case Next next: pools[next.Pool].Next(next.Object, next.From); break;
                case Renew renew: pools[renew.Pool].Renew(); break;
                case Limit limit: pools[limit.Pool].Limit(limit.Kibibytes * 1024L); break;
                case Recode recode: pools[recode.Pool].Recode((TmemCodec)recode.Codec); break;
                case Recompress recompress:
                    for (var i = 0; i < recompress.Passes; i++) Cold.Pass(engine);
                    break;
            }
        }
        foreach (var pool in pools) pool.CheckAll();
        Engines.AssertSound(engine);
        if (recompresses) Interlocked.Add(ref s_recompressions, engine.Statistics().Total.PagesRecompressed);
    }
}
