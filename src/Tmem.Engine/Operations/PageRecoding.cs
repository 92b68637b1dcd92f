using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>
/// Changes the form in which a page is stored, and not the page. As a write of part of a page does, it copies the stored bytes
/// under the bucket's latch, works under none, and commits with one store if the leaf still holds exactly those bytes: so no put,
/// flush or move in between is lost, and a process that dies leaves the old form or the new.
/// </summary>
internal sealed unsafe class PageRecoding(RegionIndex index, LeafLocator locator)
{
    private readonly RegionIndex _index = index;
    private readonly CompressedStore _pam = index.Pam;

    /// <summary>For tests: called after each store that changes what a later attach finds.</summary>
    internal Action? AfterStore { get; set; }

    /// <summary>Copies the stored bytes of the page in a slot, if the leaf that the slot names still holds it.</summary>
    /// <param name="pool">The slot's pool.</param>
    /// <param name="seen">The slot's header as it was seen, under no latch.</param>
    /// <param name="place">The slot.</param>
    /// <param name="room">Room for a page.</param>
    /// <param name="grabbed">What was copied.</param>
    /// <param name="slotBytes">The slot's size.</param>
    public bool TryCopy(Pool pool, in SlotHeader seen, ulong place, Span<byte> room, out Grabbed grabbed, out int slotBytes)
    {
        grabbed = default;
        slotBytes = 0;
        ref var bucket = ref pool.BucketAt(seen.Bucket);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        if (Find(pool, seen, place) != 0)
        {
            var descriptor = Leaf(seen.Leaf);
            grabbed = _pam.Grab(descriptor, seen.Leaf, room, markUsed: false);
            slotBytes = _pam.Cost(descriptor).SlotBytes;
        }
        SpinLatch.Exit(ref bucket.Latch);
        return grabbed.Kind == GrabKind.Stored;
    }

    /// <summary>Sets the age of the page in a slot. False if it was gone.</summary>
    public bool SetAge(Pool pool, in SlotHeader seen, ulong place, PageAge age)
    {
        ref var bucket = ref pool.BucketAt(seen.Bucket);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var found = Find(pool, seen, place) != 0;
        if (found)
        {
            Volatile.Write(ref Leaf(seen.Leaf), PageDescriptor.OfAge(Leaf(seen.Leaf), age));
            AfterStore?.Invoke();
        }
        SpinLatch.Exit(ref bucket.Latch);
        return found;
    }

    /// <summary>
    /// Commits the same page in another form in place of the one that was copied, and frees the old one; frees the new one if the
    /// page has changed since, or if the pool may not grow. Returns whether it was committed.
    /// </summary>
    /// <param name="pool">The slot's pool.</param>
    /// <param name="seen">The slot's header as it was seen.</param>
    /// <param name="place">The slot.</param>
    /// <param name="grabbed">What was copied of it.</param>
    /// <param name="stored">The copy.</param>
    /// <param name="descriptor">The new form.</param>
    public bool Replace(Pool pool, in SlotHeader seen, ulong place, in Grabbed grabbed, ReadOnlySpan<byte> stored,
        ulong descriptor)
    {
        AfterStore?.Invoke();
        var cost = _pam.Cost(descriptor);
        PageCost oldCost = default;
        ulong old = 0;
        ref var bucket = ref pool.BucketAt(seen.Bucket);
        SpinLatch.Enter(ref bucket.Latch, LatchRank.Bucket);
        var obj = Find(pool, seen, place);
        if (obj != 0 && _pam.Holds(Leaf(seen.Leaf), seen.Leaf, grabbed, stored))
        {
            oldCost = _pam.Cost(Leaf(seen.Leaf));
            if (cost.SlotBytes <= oldCost.SlotBytes || pool.TryGrow(cost.SlotBytes - oldCost.SlotBytes) == TmemStatus.Ok)
                old = _index.Commit(obj, seen.Leaf, descriptor);
        }
        SpinLatch.Exit(ref bucket.Latch);
        AfterStore?.Invoke();
        if (old == 0)
        {
            _pam.Free(descriptor);
            return false;
        }
        if (cost.SlotBytes < oldCost.SlotBytes) pool.TryGrow(cost.SlotBytes - oldCost.SlotBytes);
        PageAccount.Change(pool, cost, oldCost);
        _pam.Free(old);
        AfterStore?.Invoke();
        return true;
    }

    /// <summary>The object whose leaf a slot names, if that leaf holds the slot; else 0. Under the bucket's latch.</summary>
    private ulong Find(Pool pool, in SlotHeader seen, ulong place)
    {
        var (obj, _) = locator.Locate(seen.Leaf);
        return obj != 0 && _index.IsIn(obj, pool, seen.Bucket) && _pam.IsAt(Leaf(seen.Leaf), place) ? obj : 0;
    }

    private ref ulong Leaf(ulong leaf) => ref *(ulong*)_index.Host.At(leaf);
}
