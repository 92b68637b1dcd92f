using CsCheck;
using Tmem.Engine.Operations;
using Tmem.Engine.Pools;

namespace Tmem.Engine.Tests.Operations;

/// <summary>
/// The operations over another host and another page store than the engine's, as the two callback interfaces promise: none of
/// them knows a region, a slot or a codec.
/// </summary>
public sealed class OtherHostTests
{
    private const int Plenty = 100_000;

    private static readonly uint[] s_indexes = [0, 1, 2, 63, 64, 65, 4095, 4096, 300_000, uint.MaxValue];

    private abstract record Step;
    private sealed record Put(ulong Object, uint Index, int Seed, bool Replace) : Step;
    private sealed record Get(ulong Object, uint Index) : Step;
    private sealed record Write(ulong Object, uint Index, int Offset, int Seed) : Step;
    private sealed record GetRun(ulong Object, uint First, int Count) : Step;
    private sealed record Flush(ulong Object, uint First, uint Last) : Step;

    private static readonly Gen<ulong> s_object = Gen.ULong[0, 4];
    private static readonly Gen<uint> s_index = Gen.Int[0, s_indexes.Length - 1].Select(i => s_indexes[i]);
    private static readonly Gen<Step> s_step = Gen.Frequency(
        (8, Gen.Select(s_object, s_index, Gen.Int, Gen.Bool, (o, i, s, r) => (Step)new Put(o, i, s, r))),
        (4, Gen.Select(s_object, s_index, (o, i) => (Step)new Get(o, i))),
        (3, Gen.Select(s_object, s_index, Gen.Int[0, Pages.Size - 8], Gen.Int, (o, i, f, s) => (Step)new Write(o, i, f, s))),
        (2, Gen.Select(s_object, s_index, Gen.Int[1, 100], (o, i, n) => (Step)new GetRun(o, i, n))),
        (2, Gen.Select(s_object, s_index, s_index, (o, a, b) => (Step)new Flush(o, Math.Min(a, b), Math.Max(a, b)))));

    [Fact]
    public void Pages_as_they_are_outside_a_region_are_a_dictionary() =>
        s_step.List[1, 300].Sample(steps => Run(steps, Plenty, Plenty), iter: 200, threads: 1);

    [Fact]
    public void Without_room_for_nodes_or_pages_a_put_is_refused_and_nothing_is_lost() =>
        Gen.Select(Gen.Int[0, 12], Gen.Int[0, 12], s_step.List[1, 300])
            .Sample((blocks, pages, steps) => Run(steps, blocks, pages), iter: 200, threads: 1);

    private static void Run(List<Step> steps, int mostBlocks, int mostPages)
    {
        // The pool is the engine's; the layers below it are not.
        using var engine = Engines.Anonymous();
        var pool = engine.PoolTable.Find(Engines.Pool(engine.Client(new TmemClientId(1))))!;
        var heap = new HeapHost.Heap(mostBlocks);
        var shelf = new PlainStore.Shelf(mostPages);
        var index = new PageIndex<HeapHost, PlainStore>(new HeapHost(heap), new PlainStore(shelf));
        var removal = new PageRemoval<HeapHost, PlainStore>(index);
        var pages = new PageOperations<HeapHost, PlainStore>(index, removal, new NoReclaimer());
        var parts = new PageParts<HeapHost, PlainStore>(index, removal, pages, new NoReclaimer());
        var runs = new PageRuns<HeapHost, PlainStore>(index);
        var model = new Dictionary<(ulong, uint), byte[]>();
        var room = new byte[Pages.Size];
        foreach (var step in steps)
        {
            switch (step)
            {
                case Put put:
                    var page = Pages.Random(put.Seed);
                    var status = pages.Put(pool, pool.Owner, Id(put.Object), put.Index, page, put.Replace);
                    if (status == TmemStatus.Ok) model[(put.Object, put.Index)] = page;
                    else if (!put.Replace) model.Remove((put.Object, put.Index));
                    if (status != TmemStatus.Ok) Assert.Equal(TmemStatus.NoRoom, status);
                    if (mostPages == Plenty) Assert.Equal(TmemStatus.Ok, status);
                    break;
                case Get get:
                    Check(get.Object, get.Index);
                    break;
                case GetRun run:
                    var wanted = (int)Math.Min((uint)run.Count, uint.MaxValue - run.First + 1UL);
                    var got = new byte[wanted * Pages.Size];
                    var outcomes = new TmemStatus[wanted];
                    runs.Get(pool, Id(run.Object), run.First, got, outcomes);
                    for (var i = 0; i < wanted; i++)
                    {
                        var isThere = model.TryGetValue((run.Object, run.First + (uint)i), out var stands);
                        Assert.Equal(isThere ? TmemStatus.Ok : TmemStatus.Miss, outcomes[i]);
                        Assert.Equal(stands ?? new byte[Pages.Size], got[(i * Pages.Size)..((i + 1) * Pages.Size)]);
                    }
                    break;
                case Write write:
                    var part = BitConverter.GetBytes((long)write.Seed);
                    var written = parts.Write(pool, pool.Owner, Id(write.Object), write.Index, write.Offset, part);
                    if (!model.TryGetValue((write.Object, write.Index), out var old)) Assert.Equal(TmemStatus.Miss, written);
                    else if (written == TmemStatus.Ok) part.CopyTo(old.AsSpan(write.Offset));
                    else Assert.Equal(TmemStatus.NoRoom, written);
                    break;
                case Flush flush:
                    removal.FlushRange(pool, Id(flush.Object), flush.First, flush.Last, out var flushed);
                    var gone = model.Keys.Where(key =>
                        key.Item1 == flush.Object && key.Item2 >= flush.First && key.Item2 <= flush.Last).ToList();
                    Assert.Equal(gone.Count, flushed);
                    gone.ForEach(key => model.Remove(key));
                    break;
            }
        }
        foreach (var (obj, number) in model.Keys.ToList()) Check(obj, number);
        Assert.Equal(model.Count, shelf.Pages.Count);
        Assert.Equal(model.Count, pool.Counters.Sum(Count.Pages));
        removal.Drain(pool);
        Assert.Empty(shelf.Pages);
        Assert.Equal((0, 0L), (heap.Blocks, pool.Memory));

        void Check(ulong obj, uint number)
        {
            var status = pages.Get(pool, Id(obj), number, room, out var length);
            if (!model.TryGetValue((obj, number), out var expected)) Assert.Equal(TmemStatus.Miss, status);
            else
            {
                Assert.Equal((TmemStatus.Ok, Pages.Size), (status, length));
                Assert.Equal(expected, room);
            }
        }
    }

    private static ObjectId Id(ulong number) => new(number + 1, 0, 0);
}
