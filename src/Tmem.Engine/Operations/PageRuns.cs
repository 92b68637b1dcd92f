using System.Runtime.CompilerServices;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>
/// A get of a run of pages of one object. Each page is a get of its own, but the pages share the look-up: one hold of the
/// bucket's latch finds the object and a node, and copies the stored bytes of a few of that node's pages, at most 16 and as many
/// as fit the thread's scratch; they are checked and unpacked outside. A hold is 2 to 3 us where a single get's is 0.3 to 0.4 us,
/// still shorter than the put of one page that waits for it. The slots of a run lie apart, and in a large store each is a read of
/// cold memory; prefetching them together makes the misses overlap, which is most of what a run wins.
/// <para>There is no put of a run: the look-up is 60 of the 5,400 ns of a put, and the rest is its codec
/// (docs/benchmarking.md).</para>
/// </summary>
internal sealed unsafe class PageRuns<THost, TPam>(PageIndex<THost, TPam> index)
    where THost : struct, IHostOps
    where TPam : struct, IPamOps
{
    /// <summary>The most pages under one hold of the latch: about as many reads as a core has in flight at once.</summary>
    private const int Most = 16;

    private readonly PageIndex<THost, TPam> _index = index;
    private readonly THost _host = index.Host;
    private readonly TPam _pam = index.Pam;

    /// <summary>Gets consecutive pages. The buffer's part of a missing or damaged page is filled with zeros.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="id">The object.</param>
    /// <param name="first">The first page.</param>
    /// <param name="pages">Room for them, one after the other.</param>
    /// <param name="outcomes">The outcome of each.</param>
    /// <returns>Ok if all are there, else Corrupt if one is damaged, else Miss.</returns>
    [SkipLocalsInit]
    public TmemStatus Get(Pool pool, in ObjectId id, uint first, Span<byte> pages, Span<TmemStatus> outcomes)
    {
        var counters = pool.Counters;
        counters.Add(Count.Gets, outcomes.Length);
        var room = Scratch.For(pool.PageSize).Stored;
        Span<Grabbed> grabbed = stackalloc Grabbed[Most];
        var worst = TmemStatus.Ok;
        int hits = 0, misses = 0;
        for (var done = 0; done < outcomes.Length;)
        {
            var count = Grab(pool, id, first + (uint)done, room, grabbed[..Math.Min(Most, outcomes.Length - done)]);
            var copies = (ReadOnlySpan<byte>)room;
            foreach (ref readonly var one in grabbed[..count])
            {
                var page = pages.Slice(done * pool.PageSize, pool.PageSize);
                var status = one.Kind == GrabKind.Nothing ? TmemStatus.Miss : _pam.Unpack(one, copies, page, out _);
                copies = copies[one.Length..];
                outcomes[done] = status;
                if (status == TmemStatus.Ok)
                {
                    hits++;
                }
                else
                {
                    page.Clear();
                    if (status == TmemStatus.Miss) misses++;
                    else pool.CountCorrupt(id, first + (uint)done);
                    if (worst != TmemStatus.Corrupt) worst = status;
                }
                done++;
            }
        }
        if (hits != 0) counters.Add(Count.GetHits, hits);
        if (misses != 0) counters.Add(Count.GetMisses, misses);
        return worst;
    }

    /// <summary>
    /// Copies the stored bytes of the first pages of a run, one after the other, and removes the pages from the index if the
    /// pool's gets do. Returns how many pages that settles, including missing ones: at least one.
    /// </summary>
    [SkipLocalsInit]
    private int Grab(Pool pool, in ObjectId id, uint first, Span<byte> room, Span<Grabbed> grabbed)
    {
        var consumed = stackalloc ulong[Most];
        var gone = 0;
        ref var bucket = ref pool.BucketAt(Pool.BucketOf(id));
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        try
        {
            var obj = Treap.Find(_index.Order, bucket.Root, id);
            if (obj == 0) return Nothing(grabbed);
            var leaf = _index.Tree.FindLeaves(obj, first, out var count);
            count = Math.Min(count, grabbed.Length);
            if (leaf == 0) return Nothing(grabbed[..count]);
            var words = (ulong*)_host.At(leaf);
            for (var i = 0; i < count; i++) _pam.Expect(words[i]);
            for (var i = 0; i < count; i++)
            {
                // The rest waits for the next hold.
                if (room.Length < pool.PageSize) count = i;
                else if (words[i] == 0) grabbed[i] = default;
                else
                {
                    grabbed[i] = _pam.Grab(words[i], leaf + (ulong)i * sizeof(ulong), room, markUsed: pool.CountsUses);
                    room = room[grabbed[i].Length..];
                }
            }
            if (pool.GetConsumes) gone = _index.RemoveLatched(pool, ref bucket, obj, first, leaf, count, consumed);
            return count;
        }
        finally
        {
            SpinLatch.Exit(ref bucket.Latch);
            if (gone != 0) _index.Drop(pool, consumed, gone);
        }
    }

    private static int Nothing(Span<Grabbed> grabbed)
    {
        grabbed.Clear();
        return grabbed.Length;
    }
}
