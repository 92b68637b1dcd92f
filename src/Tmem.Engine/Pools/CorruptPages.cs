using Tmem.Engine.Region;

namespace Tmem.Engine.Pools;

/// <summary>
/// The handles of the last pages that an operation found corrupt, so that whoever reads the count can also read which. A ring of
/// fixed size: the data path allocates nothing, and a store whose memory rots does not fill more of it.
/// </summary>
internal sealed class CorruptPages
{
    public const int Kept = 8;

    /// <summary>Memory of the process that one ring takes.</summary>
    public const int Bytes = Kept * 32;

    private readonly (ObjectId Object, uint Index)[] _ring = new (ObjectId, uint)[Kept];
    private int _latch;
    private long _noted;

    /// <summary>
    /// Notes a page, unless it is the one noted last: a page that is asked for again and again says nothing new.
    /// </summary>
    public void Note(in ObjectId id, uint index)
    {
        SpinLatch.Enter(ref _latch, LatchRank.Notes);
        if (_noted == 0 || _ring[(_noted - 1) % Kept] != (id, index)) _ring[_noted++ % Kept] = (id, index);
        SpinLatch.Exit(ref _latch);
    }

    /// <summary>What was noted, the latest first.</summary>
    public IReadOnlyList<PageHandle> Read(PoolId pool)
    {
        // The same empty list for all: snapshots of pools without damage compare as equal.
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
