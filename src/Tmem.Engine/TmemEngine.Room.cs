using Tmem.Engine.Format;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>Real memory: its amount, how room is made, and how memory is given back.</summary>
public sealed unsafe partial class TmemEngine
{
    // Not a Lock: .NET 8 has none, and an object there has no TryEnter.
    private readonly object _resizing = new();

    /// <summary>The two figures that a file system's statfs needs, without the cost of a snapshot.</summary>
    /// <returns>Capacity and bytes in use.</returns>
    public (long Capacity, long Used) Room()
    {
        using var call = Gate.Enter();
        return (_spans.Capacity, _spans.Used);
    }

    /// <summary>The free room that is guaranteed to other pools.</summary>
    internal long ReservedForOthers(PoolId pool)
    {
        var reserves = PoolTable.Reserves;
        if (!reserves.Any) return 0;
        return reserves.Unmet - (PoolTable.Find(pool) is { } own ? Reserves.UnmetOf(own) : 0);
    }

    /// <summary>
    /// Moves slots out of sparse spans and gives the memory back, until nothing is left to win or <paramref name="moves"/> slots
    /// have been moved. Other operations continue meanwhile; about half a microsecond a slot.
    /// </summary>
    /// <returns>Slots moved: fewer than requested if nothing was left to win.</returns>
    public int Compact(int moves = int.MaxValue)
    {
        using var call = Gate.Enter();
        ArgumentOutOfRangeException.ThrowIfNegative(moves);
        var moved = _compactor.Compact(moves);
        _spans.ReleaseReady();
        _slabs.PunchStrays();
        return moved;
    }

    /// <summary>
    /// The bytes of real memory that <see cref="Shrink"/> could give back now, roughly: empty slots and spans, and all ephemeral
    /// pages.
    /// </summary>
    public long FreeableBytes()
    {
        using var call = Gate.Enter();
        var freeable = _spans.ReadyBytes + _slabs.SlackBytes();
        foreach (var pool in PoolTable.Living())
        {
            if (!pool.IsPersistent) freeable += pool.Memory;
        }
        return Math.Min(freeable, _spans.Used);
    }

    /// <summary>
    /// Gives memory back to the kernel: empty spans first, then the holes that compaction closes, then ephemeral pages.
    /// Persistent pages stay.
    /// </summary>
    /// <returns>
    /// Bytes given back; fewer than requested if nothing is left to give, or if others fill the store as fast as it is emptied.
    /// </returns>
    public long Shrink(long bytes)
    {
        using var call = Gate.Enter();
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        var before = _spans.Used;
        _reclaimer.ShrinkTo(before - bytes, insists: false);
        return Math.Max(0, before - _spans.Used);
    }

    /// <summary>
    /// Changes the store's capacity while it is in use; concurrent calls wait for one another. <see cref="Shrink"/> makes room
    /// for a lower one; NoRoom, and the old capacity, if persistent pages take more than that, and Reserved if they do together
    /// with what is reserved. InvalidArgument below <see cref="EngineOptions.MinimumCapacity"/> or above
    /// <see cref="MaximumCapacity"/>.
    /// </summary>
    public TmemStatus Resize(long capacity)
    {
        using var call = Gate.Enter();
        if (capacity < EngineOptions.MinimumCapacity || capacity > HighestCapacity) return TmemStatus.InvalidArgument;
        // Serialised: of two concurrent calls, one that fails would undo what the other has set.
        lock (_resizing)
        {
            var old = _spans.Capacity;
            if (capacity < old && !PoolTable.Reserves.FitInto(capacity)) return TmemStatus.Reserved;
            // Set first, so that concurrent puts are refused and do not take what is being given back.
            SetCapacity(capacity);
            var fits = _reclaimer.ShrinkTo(capacity, insists: true);
            if (!fits) SetCapacity(old);
            _reclaimer.FitGhosts();
            return fits ? TmemStatus.Ok : TmemStatus.NoRoom;
        }
    }

    /// <summary>After pools were made or found. Waits for nothing: a change of the capacity ends with the same.</summary>
    internal void FitGhosts()
    {
        if (!Monitor.TryEnter(_resizing)) return;
        try { _reclaimer.FitGhosts(); }
        finally { Monitor.Exit(_resizing); }
    }

    private void SetCapacity(long capacity)
    {
        _spans.Capacity = capacity;
        PoolTable.Reserves.Forget();
    }

    /// <summary>The highest capacity this region can be given, in bytes.</summary>
    public long MaximumCapacity { get { using var call = Gate.Enter(); return HighestCapacity; } }

    internal long HighestCapacity => RegionLayout.CapacityOf(_spans.Count);

    /// <summary>Evicts pages of an ephemeral pool until it takes so much memory, or has none left.</summary>
    internal void EvictTo(Pool pool, long bytes)
    {
        while (pool.Memory > bytes && !pool.IsEnding && _reclaimer.EvictOne(pool)) { }
    }

    internal bool MakeRoom(ref RoomSearch search) => _reclaimer.MakeRoom(ref search);

    /// <summary>Shrinks a region that holds more than the capacity allows, as far as possible, and reports the rest.</summary>
    private void FitIn(EngineOptions options)
    {
        if (options.MaximumCapacityBytes != 0 && options.MaximumCapacityBytes != MaximumCapacity)
        {
            options.Notice?.Invoke(new TmemNotice(IsProblem: true, $"{_memory.Name} was made for a capacity of at most "
                + $"{MaximumCapacity >> 20} MiB, and that is so for as long as it lives: the "
                + $"{options.MaximumCapacityBytes >> 20} MiB asked for are without effect"));
        }
        if (_spans.Used <= _spans.Capacity || _reclaimer.ShrinkTo(_spans.Capacity, insists: true)) return;
        options.Notice?.Invoke(new TmemNotice(IsProblem: true, $"{_memory.Name} holds {Up(_spans.Used)} MiB that have to stay, "
            + $"more than the capacity of {options.CapacityBytes >> 20} MiB: it takes that much memory, and nothing new is "
            + "stored until enough of it is gone. "
            + $"Open it with a capacity of {Up(_spans.Used)} MiB or more, or delete something"));

        static long Up(long bytes) => (bytes + (1 << 20) - 1) >> 20;
    }
}
