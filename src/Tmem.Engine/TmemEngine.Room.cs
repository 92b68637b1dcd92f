using Tmem.Engine.Format;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>Real memory: how much there is, how more of it is had, and how it is given back.</summary>
public sealed unsafe partial class TmemEngine
{
    private readonly Lock _resizing = new();

    /// <summary>The two figures that a file system's statfs needs, without the cost of a snapshot.</summary>
    /// <returns>Capacity and bytes in use.</returns>
    public (long Capacity, long Used) Room()
    {
        using var call = Gate.Enter();
        return (_spans.Capacity, _spans.Used);
    }

    /// <summary>What of the free room others are guaranteed: no pool but theirs can have it.</summary>
    internal long ReservedForOthers(PoolId pool)
    {
        var reserves = PoolTable.Reserves;
        if (!reserves.Any) return 0;
        return reserves.Unmet - (PoolTable.Find(pool) is { } own ? Reserves.UnmetOf(own) : 0);
    }

    /// <summary>
    /// Moves slots out of sparse spans and gives the memory back, until the store is as dense as it gets or so many slots have
    /// been moved. Others go on meanwhile; about half a microsecond a slot.
    /// </summary>
    /// <returns>Slots moved: fewer than asked for when there was nothing left to win.</returns>
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
    /// About how many bytes of real memory <see cref="Shrink"/> could give back at once: what stands empty, and all ephemeral
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
    /// Gives memory back to the system: empty spans first, then the holes that compaction closes, then ephemeral pages.
    /// Persistent pages stay.
    /// </summary>
    /// <returns>
    /// Bytes given back; fewer than asked for when nothing is left to give, or when others fill the store as fast as it is
    /// emptied.
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
    /// Gives the store another capacity while it is in use; who asks for one while another is being made room for waits. A lower
    /// one is made room for by <see cref="Shrink"/>; NoRoom, and the old capacity, if persistent pages take more than that, and
    /// Reserved if they do together with what is reserved. InvalidArgument below <see cref="EngineOptions.MinimumCapacity"/> or
    /// above
    /// <see cref="MaximumCapacity"/>.
    /// </summary>
    public TmemStatus Resize(long capacity)
    {
        using var call = Gate.Enter();
        if (capacity < EngineOptions.MinimumCapacity || capacity > HighestCapacity) return TmemStatus.InvalidArgument;
        // One after the other: of two beside one another the one that fails would set back what the other has set.
        lock (_resizing)
        {
            var old = _spans.Capacity;
            if (capacity < old && !PoolTable.Reserves.FitInto(capacity)) return TmemStatus.Reserved;
            // Set first, so that puts beside us are refused and do not take what is being given back.
            SetCapacity(capacity);
            if (_reclaimer.ShrinkTo(capacity, insists: true)) return TmemStatus.Ok;
            SetCapacity(old);
            return TmemStatus.NoRoom;
        }
    }

    private void SetCapacity(long capacity)
    {
        _spans.Capacity = capacity;
        PoolTable.Reserves.Forget();
    }

    /// <summary>The highest capacity this region can be given, in bytes.</summary>
    public long MaximumCapacity { get { using var call = Gate.Enter(); return HighestCapacity; } }

    internal long HighestCapacity => RegionLayout.CapacityOf(_spans.Count);

    internal bool MakeRoom(ref RoomSearch search) => _reclaimer.MakeRoom(ref search);

    /// <summary>
    /// A region that holds more than it may hold now is made smaller as far as that goes; what cannot be had is said.
    /// </summary>
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
