using Tmem.Engine.Durability;
using Tmem.Engine.Pools;

namespace Tmem.Engine;

/// <summary>The region's file: what is made durable in it, when, and under whose locks.</summary>
public sealed unsafe partial class TmemEngine
{
    private readonly Checkpointer? _checkpointer;

    internal Checkpoint? Checkpoint => _checkpointer?.Checkpoint;
    internal long SyncsWaiting => _checkpointer?.Waiting ?? 0;

    /// <summary>Whether the region is kept in a file, so that <see cref="Sync"/> waits for its disk.</summary>
    internal bool HasFile => _checkpointer is not null;

    /// <summary>
    /// Makes all that was done before the call durable in the region's file, and returns when it is: what a power cut leaves is
    /// then this state or a later one. Others go on meanwhile, but for a moment at the end (see
    /// <see cref="DurabilityStatistics.LongestStandstill"/>), and callers at the same time share one write. Without a file it
    /// does nothing: memory is as durable as it gets.
    /// </summary>
    /// <returns>
    /// Ok; DiskFull or DiskError if it could not be written. The store goes on in memory then, the file still holds the last
    /// state that was made durable, and the next call tries all of it again.
    /// </returns>
    public TmemStatus Sync()
    {
        using var call = Gate.Enter();
        return _checkpointer?.Sync() ?? TmemStatus.Ok;
    }

    /// <summary>
    /// As <see cref="Sync"/>, without a thread that waits. Cancellation ends the waiting alone: what was asked for is made
    /// durable all the same, with or before what is asked for next.
    /// </summary>
    public Task<TmemStatus> SyncAsync(CancellationToken cancellation = default)
    {
        using var call = Gate.Enter();
        return _checkpointer?.SyncAsync().WaitAsync(cancellation) ?? Task.FromResult(TmemStatus.Ok);
    }

    /// <summary>
    /// Asks for a <see cref="Sync"/> and returns at once, for those who may not wait: one thread can wait with <see
    /// cref="EndSync"/> for all that was asked for, in the order of asking, and all who asked while one is under way share the
    /// next.
    /// </summary>
    public SyncTicket BeginSync()
    {
        using var call = Gate.Enter();
        return new SyncTicket(_checkpointer?.Begin() ?? 0);
    }

    /// <summary>
    /// Waits until what was asked for is durable or has failed. A ticket may be asked about more than once, and by any thread.
    /// </summary>
    /// <returns>
    /// As <see cref="Sync"/>; Ok as well if a later one has succeeded meanwhile, as it has all of an earlier one.
    /// </returns>
    public TmemStatus EndSync(SyncTicket ticket)
    {
        using var call = Gate.Enter();
        return _checkpointer?.End(ticket.Number) ?? TmemStatus.Ok;
    }

    /// <summary>What became of what was asked for, without waiting.</summary>
    /// <returns>False while it is neither durable nor failed.</returns>
    public bool TryEndSync(SyncTicket ticket, out TmemStatus status)
    {
        using var call = Gate.Enter();
        status = TmemStatus.Ok;
        return _checkpointer?.TryEnd(ticket.Number, out status) ?? true;
    }

    /// <summary>
    /// Held by whoever keeps records here, around each of his changes, and by a sync in its last moment: what it makes durable is
    /// then a state between two changes.
    /// </summary>
    internal Lock RecordsLock { get; } = new();

    private void StandStill(Action action)
    {
        lock (RecordsLock) Standstill.Run(PoolTable, _slabs, noneWaits: false, _ => action());
    }

    /// <summary>
    /// A store that is full and changes as a whole needs its size twice on the disk: the image, and a journal as large.
    /// </summary>
    private static void LookAtDisk(RegionImage image, EngineOptions options)
    {
        const int journalPages = Durability.JournalFormat.MostEntries;
        var need = options.CapacityBytes * 2 + options.CapacityBytes / journalPages;
        if (image.RoomBytes is var room && room >= 0 && room < need)
        {
            options.Notice?.Invoke(new TmemNotice(IsProblem: true, $"the disk of {image.Name} has {room >> 20} MiB for it, and "
                + $"a full store that changes as a whole needs {need >> 20}: its image, and a journal as large. While there is "
                + "no room for what has changed, a sync fails and all stays in memory. Make room there, or lower the capacity"));
        }
    }
}
