using CsCheck;

namespace Tmem.Engine.Tests;

/// <summary>Sequences of every operation against a dictionary, with the verifier after each sequence.</summary>
public sealed class EngineModelTests
{
    private static readonly uint[] s_indexes = [0, 1, 2, 63, 64, 65, 4095, 4096, 70_000, 300_000, 20_000_000, uint.MaxValue - 1, uint.MaxValue];

    private abstract record Step;
    private sealed record Put(int Pool, ulong Object, uint Index, int Seed, bool Replace) : Step;
    private sealed record Get(int Pool, ulong Object, uint Index) : Step;
    private sealed record Flush(int Pool, ulong Object, uint Index) : Step;
    private sealed record FlushObject(int Pool, ulong Object) : Step;
    private sealed record FlushRange(int Pool, ulong Object, uint First, uint Last) : Step;
    private sealed record Next(int Pool, ulong Object, uint From) : Step;
    private sealed record Renew(int Pool) : Step;

    private static readonly Gen<int> s_pool = Gen.Int[0, 2];
    private static readonly Gen<ulong> s_object = Gen.ULong[0, 5];
    private static readonly Gen<uint> s_index = Gen.OneOf(Gen.Int[0, s_indexes.Length - 1].Select(i => s_indexes[i]), Gen.UInt[0, 200]);

    private static readonly Gen<Step> s_step = Gen.Frequency(
        (10, Gen.Select(s_pool, s_object, s_index, Gen.Int[0, 200], Gen.Bool, (p, o, i, s, r) => (Step)new Put(p, o, i, s, r))),
        (6, Gen.Select(s_pool, s_object, s_index, (p, o, i) => (Step)new Get(p, o, i))),
        (3, Gen.Select(s_pool, s_object, s_index, (p, o, i) => (Step)new Flush(p, o, i))),
        (1, Gen.Select(s_pool, s_object, (p, o) => (Step)new FlushObject(p, o))),
        (2, Gen.Select(s_pool, s_object, s_index, s_index, (p, o, a, b) => (Step)new FlushRange(p, o, Math.Min(a, b), Math.Max(a, b)))),
        (2, Gen.Select(s_pool, s_object, s_index, (p, o, f) => (Step)new Next(p, o, f))),
        (1, s_pool.Select(p => (Step)new Renew(p))));

    [Fact]
    public void WithRoomEveryKindOfPoolIsADictionary() =>
        s_step.List[1, 400].Sample(steps => Run(steps, 32 * Engines.Mebi, mayEvict: false, mayRefuse: false), iter: 300, threads: 1);

    [Fact]
    public void WithoutRoomEphemeralPagesVanishAndPersistentOnesStay() =>
        s_step.List[200, 900].Sample(steps => Run(steps, Engines.Mebi, mayEvict: true, mayRefuse: true), iter: 200, threads: 1);

    private static void Run(List<Step> steps, long capacity, bool mayEvict, bool mayRefuse)
    {
        using var engine = Engines.Anonymous(capacity);
        var client = engine.Client(new ClientId(1));
        PoolFlags[] kinds = [PoolFlags.Persistent, PoolFlags.None, PoolFlags.Shared];
        var pools = kinds.Select(kind => Engines.Pool(client, kind)).ToArray();
        var model = kinds.Select(_ => new SortedDictionary<(ulong Object, uint Index), int>()).ToArray();
        var page = new byte[Pages.Size];

        foreach (var step in steps)
        {
            switch (step)
            {
                case Put put:
                {
                    var key = (put.Object, put.Index);
                    // In the tight store every fourth object is ballast that does not shrink, so that room does run out.
                    var seed = mayRefuse ? put.Seed * 5 + 1 : put.Seed;
                    var status = put.Replace
                        ? client.Replace(pools[put.Pool], Id(put.Object), put.Index, Pages.Any(seed))
                        : client.Put(pools[put.Pool], Id(put.Object), put.Index, Pages.Any(seed));
                    if (status == TmemStatus.Ok) model[put.Pool][key] = seed;
                    else
                    {
                        Assert.True(mayRefuse && status == TmemStatus.NoRoom, $"{put}: {status}");
                        if (!put.Replace) model[put.Pool].Remove(key);
                    }
                    break;
                }
                case Get get:
                {
                    var key = (get.Object, get.Index);
                    var status = client.Get(pools[get.Pool], Id(get.Object), get.Index, page);
                    var expected = model[get.Pool].TryGetValue(key, out var seed);
                    if (expected && mayEvict && get.Pool != 0 && status == TmemStatus.Miss) model[get.Pool].Remove(key);
                    else
                    {
                        Assert.Equal(expected ? TmemStatus.Ok : TmemStatus.Miss, status);
                        if (expected) Assert.Equal(Pages.Any(seed), page);
                        if (get.Pool == 1) model[1].Remove(key);
                    }
                    break;
                }
                case Flush flush:
                {
                    var expected = model[flush.Pool].Remove((flush.Object, flush.Index));
                    var status = client.FlushPage(pools[flush.Pool], Id(flush.Object), flush.Index);
                    if (!(mayEvict && flush.Pool != 0)) Assert.Equal(expected ? TmemStatus.Ok : TmemStatus.Miss, status);
                    else Assert.True(expected || status == TmemStatus.Miss);
                    break;
                }
                case FlushObject flush:
                    CheckFlush(flush.Pool, flush.Object, 0, uint.MaxValue,
                        client.FlushObject(pools[flush.Pool], Id(flush.Object)), flushed: null);
                    break;
                case FlushRange range:
                {
                    var status = client.FlushRange(pools[range.Pool], Id(range.Object), range.First, range.Last, out var flushed);
                    CheckFlush(range.Pool, range.Object, range.First, range.Last, status, flushed);
                    break;
                }
                case Next next when !(mayEvict && next.Pool != 0):
                {
                    var expected = model[next.Pool].Keys.Where(key => key.Object == next.Object && key.Index >= next.From).ToList();
                    var status = client.NextPage(pools[next.Pool], Id(next.Object), next.From, out var found);
                    Assert.Equal(expected.Count > 0 ? TmemStatus.Ok : TmemStatus.Miss, status);
                    if (expected.Count > 0) Assert.Equal(expected[0].Index, found);
                    break;
                }
                case Renew renew:
                    Assert.Equal(TmemStatus.Ok, client.DestroyPool(pools[renew.Pool]));
                    pools[renew.Pool] = Engines.Pool(client, kinds[renew.Pool]);
                    model[renew.Pool].Clear();
                    break;
            }
        }
        foreach (var (key, seed) in model[0])
        {
            Assert.Equal(TmemStatus.Ok, client.Get(pools[0], Id(key.Object), key.Index, page));
            Assert.Equal(Pages.Any(seed), page);
        }
        Engines.AssertSound(engine);
        if (!mayEvict)
        {
            for (var i = 0; i < pools.Length; i++) Assert.Equal(model[i].Count, Engines.Figures(client, pools[i]).Pages);
        }

        void CheckFlush(int pool, ulong obj, uint first, uint last, TmemStatus status, long? flushed)
        {
            var keys = model[pool].Keys.Where(key => key.Object == obj && key.Index >= first && key.Index <= last).ToList();
            foreach (var key in keys) model[pool].Remove(key);
            if (mayEvict && pool != 0)
            {
                Assert.True((flushed ?? 0) <= keys.Count);
                return;
            }
            Assert.Equal(keys.Count > 0 ? TmemStatus.Ok : TmemStatus.Miss, status);
            if (flushed is { } count) Assert.Equal(keys.Count, count);
        }
    }

    private static ObjectId Id(ulong number) => new(number, number << 40, number * 7);
}
