namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Reader/writer spin locks, a fixed number of them: some for each place in the table of pools, so that files of two pools never
/// share one and no file can hold up the swap file, which has a pool of its own. Within a pool a key chooses the lock. A waiting
/// writer keeps new readers out, so it is not starved, and a writer that takes the lock again and again gives way in between. Not
/// re-entrant; a thread holds at most one lock of a set (<see cref="LockOrder"/>). ReaderWriterLockSlim was considered: it costs
/// several times as much a request, keeps thread-local state that allocates, and one a file would have to live somewhere; a word
/// in the inode's record would be written by reads.
/// </summary>
internal sealed class StripedLocks
{
    /// <summary>A pool id's low bits are its place in the engine's table of pools.</summary>
    private const int Pools = 1024;

    // Bit 31: a writer holds the lock or waits for the readers (counted by the bits below) to leave.
    private const int Writer = int.MinValue;

    // Most holders leave within microseconds; sleep (1 ms) only for one that was preempted.
    private const int YieldsBeforeSleep = 500;

    // The word behind a lock counts its waiters.
    private const int WaitersOffset = 1;

    private readonly int[] _states;
    private readonly LockRank _rank;
    private readonly int _stripes;
    private readonly int _integers;

    /// <param name="rank">The rank of the locks.</param>
    /// <param name="stripes">How many locks a pool has; a power of two.</param>
    /// <param name="bytes">Distance of two locks in bytes: 64 for a cache line each.</param>
    public StripedLocks(LockRank rank, int stripes, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(stripes & (stripes - 1), 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 2 * sizeof(int));
        (_rank, _stripes, _integers) = (rank, stripes, bytes / sizeof(int));
        _states = new int[Pools * stripes * _integers];
    }

    /// <summary>The lock of a key of two words in a pool.</summary>
    public int Stripe(uint pool, ulong first, ulong second)
    {
        var mixed = (first ^ (second * 0xD6E8FEB86659FD93UL)) * 0x9E3779B97F4A7C15UL;
        return ((int)(pool % Pools) * _stripes + ((int)(mixed >> 40) & (_stripes - 1))) * _integers;
    }

    /// <summary>Enters shared, until the returned value is disposed of.</summary>
    public SharedHold EnterShared(int stripe)
    {
        LockOrder.Waits(_rank);
        Add(stripe, 1);
        LockOrder.Entered(_rank);
        return new SharedHold(this, stripe);
    }

    /// <summary>Enters alone, until the returned value is disposed of.</summary>
    public ExclusiveHold EnterExclusive(int stripe)
    {
        LockOrder.Waits(_rank);
        Add(stripe, Writer);
        ref var state = ref _states[stripe];
        for (var spin = new SpinWait(); Volatile.Read(ref state) != Writer;) spin.SpinOnce(YieldsBeforeSleep);
        LockOrder.Entered(_rank);
        return new ExclusiveHold(this, stripe);
    }

    /// <summary>Adds a reader, or the writer's bit, once no writer holds a lock or waits for it.</summary>
    private void Add(int stripe, int what)
    {
        ref var state = ref _states[stripe];
        var seen = Volatile.Read(ref state);
        if (seen >= 0 && Interlocked.CompareExchange(ref state, seen + what, seen) == seen) return;
        Interlocked.Increment(ref _states[stripe + WaitersOffset]);
        for (var spin = new SpinWait(); ; spin.SpinOnce(YieldsBeforeSleep))
        {
            seen = Volatile.Read(ref state);
            if (seen >= 0 && Interlocked.CompareExchange(ref state, seen + what, seen) == seen) break;
        }
        Interlocked.Decrement(ref _states[stripe + WaitersOffset]);
    }

    /// <summary>Lets waiters for a lock that the caller has just left and wants again go first; waits a moment at most.</summary>
    public void GiveWay(int stripe)
    {
        LockOrder.Waits(_rank);
        var spin = new SpinWait();
        for (var tries = 0; tries < YieldsBeforeSleep + 8 && Volatile.Read(ref _states[stripe + WaitersOffset]) != 0; tries++)
            spin.SpinOnce(YieldsBeforeSleep);
    }

    /// <summary>A shared hold of a lock; by default of none.</summary>
    public readonly ref struct SharedHold(StripedLocks locks, int stripe)
    {
        private readonly StripedLocks? _locks = locks;

        public void Dispose()
        {
            if (_locks is null) return;
            LockOrder.Left(_locks._rank);
            Interlocked.Decrement(ref _locks._states[stripe]);
        }
    }

    /// <summary>An exclusive hold of a lock.</summary>
    public readonly ref struct ExclusiveHold(StripedLocks locks, int stripe)
    {
        public void Dispose()
        {
            LockOrder.Left(locks._rank);
            Interlocked.And(ref locks._states[stripe], ~Writer);
        }
    }
}
