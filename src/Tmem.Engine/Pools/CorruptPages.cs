using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// The handles of the last pages that operations found corrupt, to go with the count. A ring of fixed size: the data path
/// allocates nothing, and a store whose memory decays does not fill with handles.
/// </summary>
internal sealed class CorruptPages
{
    public const int Kept = 8;

    /// <summary>Process memory of one ring.</summary>
    public const int Bytes = Kept * 32;

    private readonly (ObjectId Object, uint Index)[] _ring = new (ObjectId, uint)[Kept];
    private int _latch;
    private long _noted;

    /// <summary>Notes a page, unless it is the last one noted: repeated gets of one page say nothing new.</summary>
    public void Note(in ObjectId id, uint index)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Notes);
        if (_noted == 0 || _ring[(_noted - 1) % Kept] != (id, index)) _ring[_noted++ % Kept] = (id, index);
        SpinLatch.Exit(ref _latch);
    }

    /// <summary>The noted pages, latest first.</summary>
    public IReadOnlyList<PageHandle> Read(PoolId pool)
    {
        // One empty list for all: snapshots of pools without damage compare as equal.
        if (Volatile.Read(ref _noted) == 0) return [];
        SpinLatch.Enter(ref _latch, LatchRank.Notes);
        var noted = _noted;
        var ring = ((ObjectId Object, uint Index)[])_ring.Clone();
        SpinLatch.Exit(ref _latch);
        var handles = new PageHandle[Math.Min(noted, Kept)];
        for (var i = 0; i < handles.Length; i++)
        {
            var (obj, index) = ring[(noted - 1 - i) % Kept];
            handles[i] = new PageHandle(pool, obj, index);
        }
        return handles;
    }
}
