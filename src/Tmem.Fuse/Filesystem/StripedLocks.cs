namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Reader/writer spin locks, a fixed number of them: some for each place in the table of pools, so that files of two pools never
/// share one and nobody's file can hold up the swap file, whose pool is its own. Within a pool a key chooses the lock. A waiting
/// writer keeps new readers out, so it is not starved, and one that takes the lock again and again gives way in between. Not
/// re-entrant; a thread holds at most one lock of a set. ReaderWriterLockSlim was weighed: it costs several times as much a
/// request, keeps thread-local state that allocates, and one a file would have to live somewhere; a word in the inode's record
/// would be written by reads.
/// </summary>
internal sealed class StripedLocks
{
    /// <summary>A pool id's low bits are its place in the engine's table of pools.</summary>
    private const int Pools = 1024;

    // Bit 31: a writer holds it or waits for the readers (the bits below count them) to leave.
    private const int Writer = int.MinValue;

    // Most holders are gone within microseconds; sleep (1 ms) only for one that was put off its core.
    private const int YieldsBeforeSleep = 500;

    // The word behind a lock counts who waits for it.
    private const int WaitersOffset = 1;

    private readonly int[] _states;
    private readonly int _stripes;
    private readonly int _integers;

    /// <param name="stripes">How many locks a pool has; a power of two.</param>
    /// <param name="bytes">How far two locks lie apart: 64 for a cache line each.</param>
    public StripedLocks(int stripes, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(stripes & (stripes - 1), 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 2 * sizeof(int));
        (_stripes, _integers) = (stripes, bytes / sizeof(int));
        _states = new int[Pools * stripes * _integers];
    }

    /// <summary>The lock of a key of two words in a pool.</summary>
    public int Stripe(uint pool, ulong first, ulong second)
    {
        var mixed = (first ^ (second * 0xD6E8FEB86659FD93UL)) * 0x9E3779B97F4A7C15UL;
        return ((int)(pool % Pools) * _stripes + ((int)(mixed >> 40) & (_stripes - 1))) * _integers;
    }

    public void EnterShared(int stripe)
    {
        ref var state = ref _states[stripe];
        var seen = Volatile.Read(ref state);
        if (seen >= 0 && Interlocked.CompareExchange(ref state, seen + 1, seen) == seen) return;
        Interlocked.Increment(ref _states[stripe + WaitersOffset]);
        for (var spin = new SpinWait(); ; spin.SpinOnce(YieldsBeforeSleep))
        {
            seen = Volatile.Read(ref state);
            if (seen >= 0 && Interlocked.CompareExchange(ref state, seen + 1, seen) == seen) break;
        }
        Interlocked.Decrement(ref _states[stripe + WaitersOffset]);
    }

    public void ExitShared(int stripe) => Interlocked.Decrement(ref _states[stripe]);

    public void EnterExclusive(int stripe)
    {
        ref var state = ref _states[stripe];
        var seen = Volatile.Read(ref state);
        if (seen < 0 || Interlocked.CompareExchange(ref state, seen | Writer, seen) != seen)
        {
            Interlocked.Increment(ref _states[stripe + WaitersOffset]);
            for (var spin = new SpinWait(); ; spin.SpinOnce(YieldsBeforeSleep))
            {
                seen = Volatile.Read(ref state);
                if (seen >= 0 && Interlocked.CompareExchange(ref state, seen | Writer, seen) == seen) break;
            }
            Interlocked.Decrement(ref _states[stripe + WaitersOffset]);
        }
        for (var spin = new SpinWait(); Volatile.Read(ref state) != Writer;) spin.SpinOnce(YieldsBeforeSleep);
    }

    public void ExitExclusive(int stripe) => Interlocked.And(ref _states[stripe], ~Writer);

    /// <summary>
    /// Lets those who wait for a lock that the caller has just left and wants again have it first; a moment at
    /// most.
    /// </summary>
    public void GiveWay(int stripe)
    {
        var spin = new SpinWait();
        for (var tries = 0; tries < YieldsBeforeSleep + 8 && Volatile.Read(ref _states[stripe + WaitersOffset]) != 0; tries++)
            spin.SpinOnce(YieldsBeforeSleep);
    }
}
