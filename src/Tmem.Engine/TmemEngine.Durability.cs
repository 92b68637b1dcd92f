using Tmem.Engine.Durability;
using Tmem.Engine.Pools;

namespace Tmem.Engine;

/// <summary>The region's file: what becomes durable in it, when, and under which locks.</summary>
public sealed unsafe partial class TmemEngine
{
    private readonly Checkpointer? _checkpointer;

    internal Checkpoint? Checkpoint => _checkpointer?.Checkpoint;
    internal long SyncsWaiting => _checkpointer?.Waiting ?? 0;

    /// <summary>Whether the region has a file, so that <see cref="Sync"/> waits for its disk.</summary>
    internal bool HasFile => _checkpointer is not null;

    /// <summary>
    /// Makes everything done before the call durable in the region's file, and returns when it is: a power cut then leaves this
    /// state or a later one. Other operations continue meanwhile, but for a moment at the end (see
    /// <see cref="DurabilityStatistics.LongestStandstill"/>); concurrent callers share one write. Does nothing without a file:
    /// memory is as durable as it gets.
    /// </summary>
    /// <returns>
    /// Ok; DiskFull or DiskError if it could not be written. The store then continues in memory, the file still holds the last
    /// state that became durable, and the next call tries all of it again. FileRemoved if it could be, but has lost its name
    /// since it was opened.
    /// </returns>
    public TmemStatus Sync()
    {
        using var call = Gate.Enter();
        return _checkpointer?.Sync() ?? TmemStatus.Ok;
    }

    /// <summary>
    /// As <see cref="Sync"/>, without a waiting thread. Cancellation ends only the wait: the changes still become durable, with
    /// or before the next sync.
    /// </summary>
    public Task<TmemStatus> SyncAsync(CancellationToken cancellation = default)
    {
        using var call = Gate.Enter();
        return _checkpointer?.SyncAsync().WaitAsync(cancellation) ?? Task.FromResult(TmemStatus.Ok);
    }

    /// <summary>
    /// Requests a <see cref="Sync"/> and returns at once, for callers that must not wait: one thread can wait with
    /// <see cref="EndSync"/> for all requests, in the order they were made. All requests made while a sync is under way share the
    /// next one.
    /// </summary>
    public SyncTicket BeginSync()
    {
        using var call = Gate.Enter();
        return new SyncTicket(_checkpointer?.Begin() ?? 0);
    }

    /// <summary>
    /// Waits until the requested sync is durable or has failed. Any thread may ask about a ticket, more than once.
    /// </summary>
    /// <returns>
    /// As <see cref="Sync"/>; Ok as well if a later sync has succeeded meanwhile, as it covers all of an earlier one.
    /// </returns>
    public TmemStatus EndSync(SyncTicket ticket)
    {
        using var call = Gate.Enter();
        return _checkpointer?.End(ticket.Number) ?? TmemStatus.Ok;
    }

    /// <summary>The outcome of a requested sync, without waiting.</summary>
    /// <returns>False while it is neither durable nor failed.</returns>
    public bool TryEndSync(SyncTicket ticket, out TmemStatus status)
    {
        using var call = Gate.Enter();
        status = TmemStatus.Ok;
        return _checkpointer?.TryEnd(ticket.Number, out status) ?? true;
    }

    /// <summary>
    /// Held by the owner of the records around each of its changes, and by a sync in its last moment: what the sync makes durable
    /// is then a state between two changes.
    /// </summary>
    internal Lock RecordsLock { get; } = new();

    private void StandStill(Action action)
    {
        lock (RecordsLock) Standstill.Run(PoolTable, _slabs, noneWaits: false, _ => action());
    }

    /// <summary>A full store that changes entirely needs twice its size on the disk: the image, and a journal as large.</summary>
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
