namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Reader/writer spin locks, a fixed number of them; a key chooses its stripe. A waiting writer keeps new readers out, so it is not
/// starved. Not re-entrant; a thread holds at most one stripe of a set. ReaderWriterLockSlim was weighed: it costs several times as
/// much a request, keeps thread-local state that allocates, and one a file would have to live somewhere.
/// </summary>
internal sealed class StripedLocks
{
    // One lock a cache line. Bit 31: a writer holds it or waits for the readers (the bits below count them) to leave.
    private const int IntegersPerLine = 16;
    private const int Writer = int.MinValue;

    private readonly int[] _states;
    private readonly int _mask;

    /// <param name="stripes">How many; a power of two.</param>
    public StripedLocks(int stripes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(stripes & (stripes - 1), 0);
        _states = new int[stripes * IntegersPerLine];
        _mask = stripes - 1;
    }

    /// <summary>The stripe of a key of two words.</summary>
    public int Stripe(ulong first, ulong second)
    {
        var mixed = (first ^ (second * 0xD6E8FEB86659FD93UL)) * 0x9E3779B97F4A7C15UL;
        return (int)(mixed >> 40) & _mask;
    }

    public void EnterShared(int stripe)
    {
        ref var state = ref _states[stripe * IntegersPerLine];
        var spin = new SpinWait();
        while (true)
        {
            var seen = Volatile.Read(ref state);
            if (seen >= 0 && Interlocked.CompareExchange(ref state, seen + 1, seen) == seen) return;
            spin.SpinOnce();
        }
    }

    public void ExitShared(int stripe) => Interlocked.Decrement(ref _states[stripe * IntegersPerLine]);

    public void EnterExclusive(int stripe)
    {
        ref var state = ref _states[stripe * IntegersPerLine];
        var spin = new SpinWait();
        while (true)
        {
            var seen = Volatile.Read(ref state);
            if (seen >= 0 && Interlocked.CompareExchange(ref state, seen | Writer, seen) == seen) break;
            spin.SpinOnce();
        }
        while (Volatile.Read(ref state) != Writer) spin.SpinOnce();
    }

    public void ExitExclusive(int stripe) => Interlocked.And(ref _states[stripe * IntegersPerLine], ~Writer);
}
