using System.Runtime.CompilerServices;

namespace Tmem.Engine;

/// <summary>
/// Admits calls into an engine until it is disposed of, and makes the disposal wait for calls under way: it unmaps what they
/// touch.
/// <para>A call costs two plain stores to a line of its thread's own, and two loads: 4 ns, beside the 700 of a get and the 3,400
/// of a put. The store of "I am in" must come before the load of "is it closed"; the closing thread enforces this order: it sets
/// the mark and has the kernel put a barrier into every running thread (membarrier), so either a thread sees the mark or the
/// closing thread sees that thread. Rejected: interlocked counters in stripes, 10 ns a call; and a SafeHandle, whose one counter
/// all threads share.</para>
/// <para>A nested call (from a stream that a save writes to, or under the sync's lock of the embedder's records) is part of the
/// outer call, and passes while the disposal waits.</para>
/// </summary>
internal sealed class CallGate(object owner)
{
    [ThreadStatic] private static Seat? t_seat;

    private readonly Lock _change = new();
    private readonly List<Seat> _seats = [];
    private int _closed;

    /// <summary>Whether the gate has been closed, or is being.</summary>
    public bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>The number of seats, including those of ended threads. For tests.</summary>
    internal int Seats { get { lock (_change) return _seats.Count; } }

    /// <summary>Begins a call; disposing of the result ends it.</summary>
    /// <exception cref="ObjectDisposedException">The engine has been disposed of, or is being.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Call Enter()
    {
        var seat = t_seat;
        if (seat is null || seat.Gate != this) seat = Find();
        var depth = seat.Depth + 1;
        Volatile.Write(ref seat.Depth, depth);
        if (Volatile.Read(ref _closed) != 0 && depth == 1) Refuse(seat, owner);
        return new Call(seat);
    }

    /// <summary>
    /// Admits no further call, and returns when all calls have ended. False if another thread has closed the gate; that thread
    /// waits.
    /// </summary>
    /// <exception cref="InvalidOperationException">The caller is itself within a call, and would wait for itself.</exception>
    public bool Close()
    {
        Seat[] seats;
        lock (_change)
        {
            if (_seats.Exists(seat => seat.Thread == Thread.CurrentThread && Volatile.Read(ref seat.Depth) > 0))
                throw new InvalidOperationException(
                    $"a {owner.GetType().Name} cannot be disposed of from within one of its own calls; do it when that call has "
                    + "returned");
            if (Interlocked.Exchange(ref _closed, 1) != 0) return false;
            // A thread without a seat finds the mark when it asks for one.
            seats = [.. _seats];
        }
        Interlocked.MemoryBarrierProcessWide();
        foreach (var seat in seats)
        {
            var spinner = default(SpinWait);
            while (Volatile.Read(ref seat.Depth) > 0) spinner.SpinOnce();
        }
        return true;
    }

    /// <summary>
    /// Waits until each call that is under way now has ended, the caller's own left out. False if the time is over first: a call
    /// may take as long as the stream that it writes to.
    /// </summary>
    public bool WaitForCallsUnderWay(TimeSpan most)
    {
        Seat[] seats;
        lock (_change) seats = [.. _seats];
        Interlocked.MemoryBarrierProcessWide();
        var end = Environment.TickCount64 + (long)most.TotalMilliseconds;
        foreach (var seat in seats)
        {
            while (seat.Thread != Thread.CurrentThread && Volatile.Read(ref seat.Depth) > 0)
            {
                if (Environment.TickCount64 >= end) return false;
                Thread.Sleep(1);
            }
        }
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Refuse(Seat seat, object owner)
    {
        Volatile.Write(ref seat.Depth, seat.Depth - 1);
        ObjectDisposedException.ThrowIf(true, owner);
    }

    /// <summary>The thread's seat: its earlier one, that of an ended thread, or a new one.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Seat Find()
    {
        var thread = Thread.CurrentThread;
        lock (_change)
        {
            ObjectDisposedException.ThrowIf(IsClosed && !_seats.Exists(mine => mine.Thread == thread), owner);
            var seat = _seats.Find(mine => mine.Thread == thread) ?? _seats.Find(other => !other.Thread.IsAlive);
            if (seat is null) _seats.Add(seat = new Seat(this));
            seat.Thread = thread;
            return t_seat = seat;
        }
    }

    /// <summary>One thread's depth of nested calls, padded so that no two threads' seats share a cache line.</summary>
    internal sealed class Seat(CallGate gate)
    {
        public readonly CallGate Gate = gate;
        public Thread Thread = Thread.CurrentThread;
        public int Depth;
#pragma warning disable CS0169, IDE0051 // never read
        private readonly Padding _padding;
#pragma warning restore CS0169, IDE0051
    }

    [InlineArray(16)]
    private struct Padding
    {
        private long _word;
    }

    /// <summary>A call under way.</summary>
    internal readonly ref struct Call
    {
        private readonly Seat _seat;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal Call(Seat seat) => _seat = seat;

        /// <summary>Ends the call.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Dispose() => Volatile.Write(ref _seat.Depth, _seat.Depth - 1);
    }
}
