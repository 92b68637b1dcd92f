using System.Runtime.Intrinsics.X86;
using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// Chooses the pages to evict. Two hands go round the slots of ephemeral pages, each skipping the other's pages. One goes over
/// the pages on probation and evicts them, except those that were used, which become kept pages, and those that have returned,
/// which may (<see cref="Challenge"/>). The other is a clock over the kept pages, and puts those on probation that were not used;
/// it moves while too few are there (<see cref="Probation"/>). So pages used once (a scan) go quickly and push nothing else out.
/// <para>The idea is S3-FIFO's (Yang et al., SOSP 2023): a short queue for newcomers, a main one, and ghosts of what was evicted
/// (<see cref="Ghosts"/>). In place of queues there is the order of slots. All evictions are the first hand's, and an evicted
/// page's slot is the next newcomer's: so it finds newcomers in the order of their arrival. No list, no lock on a read, no byte a
/// page but the header's and the ghosts'.</para>
/// <para>Hit ratios beside other policies, and what was tried and lost: docs/memory.md, scripts/bench engine --only
/// eviction.</para>
/// <para>Persistent pages lie in spans of another kind, which the hands skip whole. Pages held in their descriptors have no slot;
/// when nothing else is left to evict, <see cref="SweepFills"/> looks for them, because they keep index memory.</para>
/// <para>Lock order: the hands' latch, then a bucket's.</para>
/// </summary>
internal sealed unsafe partial class EvictionHand
{
    /// <summary>The pages are counted again after this many evictions, or as many as are this part of them.</summary>
    private const int Lasting = 256;
    private const int PagesAnEviction = 128;

    /// <summary>The part of the pages that as many ghosts are remembered of: what S3-FIFO's main queue is.</summary>
    private const double GhostsAPage = 0.9;

    /// <summary>A page that returns within this part of what the ghosts remember was evicted a short while ago.</summary>
    private const int ShortWhile = 16;

    /// <summary>Kept pages that one which has returned may challenge.</summary>
    private const int MostChallenged = 3;

    /// <summary>Slots ahead of a hand whose headers are prefetched: a hand passes a dozen for a page that it evicts.</summary>
    private const int Ahead = 4;

    private readonly SlabAllocator _slabs;
    private readonly PoolTable _pools;
    private readonly ClientTable _clients;
    private readonly OverShare _overShare;
    private readonly RegionRemoval _removal;
    private readonly Ghosts _ghosts;
    private readonly Probation _probation = new();
    private readonly Func<ulong, (ulong, uint)> _locate;
    private int _latch;
    private Position _onProbation;
    private Position _kept;
    private int _uncounted;
    private long _came;
    private long _evicted;
    private int _ways = Ghosts.Ways;

    private struct Position
    {
        public uint Span;
        public int Slot;
    }

    public EvictionHand(SlabAllocator slabs, PoolTable pools, ClientTable clients, RegionRemoval removal, LeafLocator locator,
        Ghosts ghosts)
    {
        _slabs = slabs;
        _pools = pools;
        _clients = clients;
        _removal = removal;
        _ghosts = ghosts;
        _overShare = new OverShare(clients);
        _locate = locator.Locate;
    }

    /// <summary>The share of pages on probation. For tests.</summary>
    internal Probation Probation => _probation;

    /// <summary>Whether a page that is about to be put was evicted not long ago.</summary>
    public bool HasReturned(ulong name)
    {
        var age = _ghosts.Take(name, out var wasKept);
        var ways = Volatile.Read(ref _ways);
        if (age < 0 || age >= ways) return false;
        if (age < Math.Max(1, ways / ShortWhile)) _probation.Returned(wasKept);
        // One that had its time among the kept pages begins anew: in a loop all pages are such, and would drive each other out.
        return !wasKept;
    }

    /// <summary>Evicts at least one ephemeral page, of one pool or of any. False if none is left.</summary>
    public bool EvictOne(Pool? only)
    {
        if (only is null ? !_pools.AnyEphemeralPages() : only.IsPersistent) return false;
        SpinLatch.Enter(ref _latch, LatchRank.Reclaim);
        try
        {
            if (only is null && _overShare.Client is { } client)
            {
                if (EvictFrom(new EvictionScope(null, client))) return true;
                _overShare.RanDry();
            }
            return EvictFrom(new EvictionScope(only, null, only is null ? Count.Evictions : Count.EvictionsPoolLimit));
        }
        finally
        {
            SpinLatch.Exit(ref _latch);
        }
    }

    public bool EvictOneOf(ClientState client)
    {
        if (client.Sum(Count.Pages, ephemeralOnly: true) <= 0) return false;
        SpinLatch.Enter(ref _latch, LatchRank.Reclaim);
        try
        {
            return EvictFrom(new EvictionScope(null, client, Count.EvictionsClientLimit));
        }
        finally
        {
            SpinLatch.Exit(ref _latch);
        }
    }

    /// <summary>
    /// Slots first, unless the scope's pages seem to lie in descriptors alone: that saves rounds over all others' slots.
    /// </summary>
    private bool EvictFrom(in EvictionScope scope)
    {
        return scope.HasSlots ? Sweep(scope) || SweepFills(scope) : SweepFills(scope) || Sweep(scope);
    }

    private bool Sweep(in EvictionScope scope)
    {
        // A page is demoted after as many rounds as it has uses, and one more; in the round after that it is evicted.
        var round = _slabs.Spans.HighWater + 1;
        var onProbation = round;
        var kept = (PageUse.MostUses + 1) * round;
        while (onProbation > 0 || kept > 0)
        {
            if (kept <= 0 || (onProbation > 0 && !_probation.IsShort(scope.IsPart)))
            {
                var place = Advance(ref _onProbation, 0, ref onProbation, scope, out var seen, out var others);
                _probation.Passed(scope.IsPart, others, place != 0);
                if (place != 0 && PassOnProbation(place, seen, scope)) return true;
            }
            else
            {
                var place = Advance(ref _kept, PageUse.Kept, ref kept, scope, out var seen, out _);
                if (place != 0 && CountDown(place, seen, scope)) onProbation = round;
            }
        }
        return false;
    }

    /// <summary>
    /// Moves a hand to the next page in scope that is a kept one, or on probation. 0 at the end of a span, which is counted down.
    /// </summary>
    /// <param name="hand">The hand.</param>
    /// <param name="kind"><see cref="PageUse.Kept"/>, or 0 for those on probation.</param>
    /// <param name="spans">The spans that are left to it.</param>
    /// <param name="scope">The pages that count.</param>
    /// <param name="seen">The page's header, read without a latch.</param>
    /// <param name="others">Pages of the other kind that were passed.</param>
    private ulong Advance(
        ref Position hand, int kind, ref long spans, in EvictionScope scope, out SlotHeader seen, out int others)
    {
        ref var entry = ref _slabs.Spans.Table[hand.Span];
        others = 0;
        var size = SizeClasses.Size(entry.Class);
        while (entry.Kind == SpanKind.EphemeralPages && hand.Slot < Volatile.Read(ref entry.Bump))
        {
            var place = _slabs.Spans.PlaceOf(hand.Span) + (ulong)(hand.Slot++ * size);
            var slot = _slabs.At(place);
            if (Sse.IsSupported) Sse.Prefetch0(slot + Ahead * size);
            seen = *(SlotHeader*)slot;
            if (!seen.IsCommitted || (scope.IsPart && PoolOf(seen, scope) is null)) continue;
            if ((seen.Use & PageUse.Kept) == kind) return place;
            others++;
        }
        hand.Slot = 0;
        hand.Span = hand.Span + 1 < _slabs.Spans.HighWater ? hand.Span + 1 : 0;
        spans--;
        seen = default;
        return 0;
    }

    /// <summary>The pool that a slot names, if its pages are in scope.</summary>
    private Pool? PoolOf(in SlotHeader seen, in EvictionScope scope) =>
        _pools.AtPlace(seen.PoolPlace) is { IsPersistent: false } pool && scope.Covers(pool) ? pool : null;

    /// <summary>Evicts the page, or makes it a kept one. True if it is gone.</summary>
    private bool PassOnProbation(ulong place, in SlotHeader seen, in EvictionScope scope)
    {
        switch (seen.Use)
        {
            case PageUse.Used:
                Promote(place, seen, scope, uses: 0);
                return false;
            case PageUse.Returned when _probation.IsAmple(scope.IsPart) || Challenge(scope):
                // It has not been used since it came back, and is to have a round in which to be.
                Promote(place, seen, scope, uses: 1);
                return false;
            default:
                return PoolOf(seen, scope) is { } pool && Evict(place, seen, pool, scope.Cause);
        }
    }

    private void Promote(ulong place, in SlotHeader seen, in EvictionScope scope, byte uses)
    {
        if (SlotHeader.ChangeUse(_slabs.At(place), seen, (byte)(PageUse.Kept | uses))) _probation.Moved(scope.IsPart, -1);
    }

    /// <summary>
    /// Looks for a kept page that was not used, to put it on probation in the place of one that has returned; those that were
    /// used it costs a use. Where pages return that are worth less than the kept ones, as in a loop over more than there is room
    /// for, these stay; S3-FIFO lets every return drive out a page. To challenge a single one does not suffice where popularity
    /// changes.
    /// </summary>
    private bool Challenge(in EvictionScope scope)
    {
        long spans = MostChallenged;
        for (var challenged = 0; challenged < MostChallenged && spans > 0; challenged++)
        {
            var place = Advance(ref _kept, PageUse.Kept, ref spans, scope, out var seen, out _);
            if (place != 0 && CountDown(place, seen, scope)) return true;
        }
        return false;
    }

    /// <summary>Takes a use from a kept page, or demotes it (true) if it has none.</summary>
    private bool CountDown(ulong place, in SlotHeader seen, in EvictionScope scope)
    {
        var demotes = (seen.Use & PageUse.MostUses) == 0;
        if (!SlotHeader.ChangeUse(_slabs.At(place), seen, demotes ? PageUse.Demoted : (byte)(seen.Use - 1))) return false;
        if (demotes) _probation.Moved(scope.IsPart, 1);
        return demotes;
    }

    // Everything read so far was read without a latch; Evict trusts none of it until it has seen the leaf under the latch.
    private bool Evict(ulong place, in SlotHeader seen, Pool pool, Count cause)
    {
        if (!_removal.Evict(pool, seen.Bucket, seen.Leaf, place, _locate, cause, out var name)) return false;
        var wasKept = seen.Use == PageUse.Demoted;
        _ghosts.Remember(name, wasKept);
        _probation.Evicted(wasKept);
        if (_uncounted-- <= 0) CountPages();
        return true;
    }

    /// <summary>
    /// Counts the pages, and those that came and were evicted since. Evictions mostly make room for a newcomer each, but not
    /// where a store shrinks, or makes room for persistent pages.
    /// </summary>
    private void CountPages()
    {
        long pages = 0, came = 0, evicted = 0;
        foreach (var client in _clients.All)
        {
            pages += client.Sum(Count.Pages, ephemeralOnly: true) - client.Sum(Count.SameFilledPages, ephemeralOnly: true);
            came += client.Sum(Count.PutsStored, ephemeralOnly: true) - client.Sum(Count.PutsReplaced, ephemeralOnly: true);
            evicted += client.Sum(Count.Evictions, ephemeralOnly: true);
        }
        // A pool that is gone took its counts along.
        if (came >= _came && evicted >= _evicted && _evicted > 0)
            _probation.Came(came - _came - (evicted - _evicted));
        (_came, _evicted) = (came, evicted);
        _probation.Pages = pages;
        _uncounted = (int)Math.Clamp(pages / PagesAnEviction, 1, Lasting);
        var ways = _ghosts.Marks == 0 ? Ghosts.Ways : (int)(GhostsAPage * pages * Ghosts.Ways / _ghosts.Marks);
        Volatile.Write(ref _ways, Math.Clamp(ways, 1, Ghosts.Ways));
    }
}
