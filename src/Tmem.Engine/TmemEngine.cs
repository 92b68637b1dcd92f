using System.Runtime.InteropServices;
using Tmem.Engine.Clients;
using Tmem.Engine.Codec;
using Tmem.Engine.Diagnostics;
using Tmem.Engine.Durability;
using Tmem.Engine.Index;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Reclaim;
using Tmem.Engine.Records;
using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>
/// A store of compressed pages with the contract of transcendent memory, in one region. Open it, ask it for a client, and let the client
/// make pools. All members may be used from any thread.
/// </summary>
public sealed unsafe partial class TmemEngine : IDisposable
{
    private readonly RegionMemory _memory;
    private readonly Superblock* _superblock;
    private readonly SpanPool _spans;
    private readonly SlabAllocator _slabs;
    private readonly Compactor _compactor;
    private readonly Reclaimer _reclaimer;
    private readonly BackgroundCompaction? _background;
    private readonly DamageReport? _damage;
    private readonly Checkpointer? _checkpointer;
    private readonly Lock _resizing = new();
    private readonly bool _attached;

    private TmemEngine(RegionMemory memory, RegionImage? image, EngineOptions options, bool attach)
    {
        Gate = new CallGate(this);
        _memory = memory;
        _superblock = (Superblock*)memory.Start;
        _spans = new SpanPool(memory, _superblock->SpanCount, options.ReadOnly ? RegionLayout.CapacityOf(_superblock->SpanCount) : options.CapacityBytes);
        _slabs = new SlabAllocator(memory, _spans);
        ClientTable = new ClientTable(memory);
        PoolTable = new PoolTable(memory, _spans, ClientTable, options.NewPagesCodec);
        var locator = new LeafLocator(_slabs);
        var hand = new EvictionHand(_slabs, PoolTable, ClientTable, locator);
        _compactor = new Compactor(_slabs, PoolTable, locator);
        _reclaimer = new Reclaimer(_spans, _slabs, hand, _compactor);
        _slabs.Reclaimer = _reclaimer;
        Intent = new ExchangeIntent(memory);
        Operations = new RegionOperations(new RegionHost(_slabs), new CompressedStore(_slabs), _reclaimer, Intent);
        hand.Serve(Operations);
        _compactor.Serve(Operations);
        Records = new RecordStore(_slabs, _superblock, PoolTable);
        _attached = attach;
        if (attach)
        {
            _damage = new DamageReport(memory.Name, options.DropDamaged);
            ClientTable.Adopt(_damage);
            PoolTable.Adopt(_damage);
            using (var walk = new AttachWalk(memory, _slabs, PoolTable, Intent, _damage)) walk.Run();
        }
        _superblock->Generation++;
        // What the walk dropped is a change like any other.
        if (attach && _damage!.Count == 0) image?.Attached((long)_spans.PlaceOf((uint)_spans.HighWater));
        if (_damage?.Drops == true) DropCorruptPages();
        if (attach) FitIn(options);
        if (options.ReadOnly) image?.Dispose();
        else if (image is not null)
        {
            image.Opened(_superblock->Generation);
            if (!options.IsSuccessor) LookAtDisk(image, options);
            var checkpoint = new Checkpoint(image, () => (long)_spans.PlaceOf((uint)_spans.HighWater), StandStill);
            _checkpointer = new Checkpointer(image, checkpoint, options.SyncInterval, options.Notice);
        }
        if (options.HugePages && image is null && memory.MayBeHuge) Huge = new HugeBlocks(memory, _spans);
        if (options.CompactInBackground) _background = new BackgroundCompaction(_slabs, _compactor, Huge);
    }

    /// <summary>True when <see cref="Open"/> found a region and rebuilt from it.</summary>
    public bool Attached { get { using var call = Gate.Enter(); return _attached; } }

    /// <summary>How many pages, objects and spans <see cref="Open"/> dropped because they were damaged (<see cref="EngineOptions.DropDamaged"/>).</summary>
    public long DroppedCount { get { using var call = Gate.Enter(); return _damage?.Count ?? 0; } }

    /// <summary>A sentence for each of the first hundred, naming its handle or place.</summary>
    public IReadOnlyList<string> Dropped { get { using var call = Gate.Enter(); return _damage?.Sentences ?? []; } }

    /// <summary>Fixed-size records in the region for the embedder (file-system metadata).</summary>
    internal RecordStore Records { get; }

    /// <summary>What every public member goes through.</summary>
    internal CallGate Gate { get; }

    internal RegionOperations Operations { get; }
    internal ExchangeIntent Intent { get; }
    internal ClientTable ClientTable { get; }
    internal PoolTable PoolTable { get; }
    internal SlabAllocator Slabs => _slabs;
    internal Checkpoint? Checkpoint => _checkpointer?.Checkpoint;
    /// <summary>Whether leave was given to drop what is damaged.</summary>
    internal bool DropsDamaged => _damage?.Drops ?? false;
    internal long SyncsWaiting => _checkpointer?.Waiting ?? 0;
    internal RegionMemory Memory => _memory;
    internal HugeBlocks? Huge { get; }

    /// <summary>
    /// Creates an empty region, or attaches to the one that <paramref name="options"/> names if it holds one: its pools and pages are then
    /// there again, under the capacity given now.
    /// </summary>
    /// <exception cref="ArgumentException">A capacity below <see cref="EngineOptions.MinimumCapacity"/>, or above the maximum given.</exception>
    /// <exception cref="RegionException">A file that is no region, of another version, damaged, in use, or without memory behind it.</exception>
    public static TmemEngine Open(EngineOptions options) => OpenPrepared(options, null);

    internal static TmemEngine OpenPrepared(EngineOptions options, RegionMemory? prepared)
    {
        ArgumentNullException.ThrowIfNull(options);
        try
        {
            Check(options);
        }
        catch
        {
            prepared?.Dispose();
            throw;
        }
        var memory = RegionOpener.Open(options, out var attach, out var image, prepared);
        try
        {
            return new TmemEngine(memory, image, options, attach);
        }
        catch
        {
            image?.Dispose();
            memory.Dispose();
            throw;
        }
    }

    private static void Check(EngineOptions options)
    {
        if (options.NewPagesCodec is { } codec && !PageCodecs.IsKnown(codec))
            throw new ArgumentException($"there is no codec {(int)codec}", nameof(options));
        if (options.CapacityBytes < EngineOptions.MinimumCapacity)
            throw new ArgumentException($"a capacity of {options.CapacityBytes} bytes is below the smallest, {EngineOptions.MinimumCapacity}", nameof(options));
    }

    /// <summary>
    /// Stops what the engine does by itself, for a process that is about to end while another one waits to open the same memory: from here on
    /// nothing of it is touched unless a member is called. Not with a region in a file: dispose of that engine instead.
    /// </summary>
    internal void Rest() => _background?.Dispose();

    /// <summary>All figures.</summary>
    public EngineStatistics Statistics()
    {
        using var call = Gate.Enter();
        var pools = new List<PoolSnapshot>();
        var total = new PoolCounters();
        total.Absorb(PoolTable.Retired);
        long original = 0;
        foreach (var pool in PoolTable.Living())
        {
            total.Absorb(pool.Counters);
            if (!pool.IsOpen) continue;
            var snapshot = Snapshot(pool);
            original += snapshot.Statistics.OriginalBytes;
            pools.Add(snapshot);
        }
        return new EngineStatistics
        {
            CapacityBytes = _spans.Capacity,
            UsedBytes = _spans.Used,
            PeakUsedBytes = _spans.Peak,
            PageSpanBytes = _spans.BytesOf(SpanKind.PersistentPages) + _spans.BytesOf(SpanKind.EphemeralPages),
            RecordSpanBytes = _spans.BytesOf(SpanKind.Records),
            ReadySpanBytes = _spans.ReadyBytes,
            SlackBytes = _slabs.SlackBytes(),
            StrayBytesReturned = _spans.StraysPunched,
            WorkingBytes = Scratch.AllBytes + ZstdContexts.AllBytes,
            ReservedBytes = PoolTable.Reserves.Total,
            UnmetReserveBytes = PoolTable.Reserves.Unmet,
            Spans = _spans.InUse,
            SpansReturned = _spans.Returned,
            SlotsMoved = _compactor.Moved,
            Generation = _superblock->Generation,
            Total = total.Read(TmemClient.PageSize) with { OriginalBytes = original },
            Pools = pools,
            Durability = _checkpointer?.Figures ?? new DurabilityStatistics(),
        };
    }

    /// <summary>Whether the region is kept in a file, so that <see cref="Sync"/> waits for its disk.</summary>
    internal bool HasFile => _checkpointer is not null;

    /// <summary>
    /// Makes all that was done before the call durable in the region's file, and returns when it is: what a power cut leaves is then this
    /// state or a later one. Others go on meanwhile, but for a moment at the end (see <see cref="DurabilityStatistics.LongestStandstill"/>),
    /// and callers at the same time share one write. Without a file it does nothing: memory is as durable as it gets.
    /// </summary>
    /// <returns>
    /// Ok; DiskFull or DiskError if it could not be written. The store goes on in memory then, the file still holds the last state that was
    /// made durable, and the next call tries all of it again.
    /// </returns>
    public TmemStatus Sync()
    {
        using var call = Gate.Enter();
        return _checkpointer?.Sync() ?? TmemStatus.Ok;
    }

    /// <summary>
    /// Asks for a <see cref="Sync"/> and returns at once, for those who may not wait: one thread can wait with <see cref="EndSync"/> for all
    /// that was asked for, in the order of asking, and all who asked while one is under way share the next.
    /// </summary>
    public SyncTicket BeginSync()
    {
        using var call = Gate.Enter();
        return new SyncTicket(_checkpointer?.Begin() ?? 0);
    }

    /// <summary>Waits until what was asked for is durable or has failed. A ticket may be asked about more than once, and by any thread.</summary>
    /// <returns>As <see cref="Sync"/>; Ok as well if a later one has succeeded meanwhile, as it has all of an earlier one.</returns>
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
    /// The embedder's lock around changes of its records: it runs the action it is given under that lock. A sync's last moment runs so, and
    /// what it makes durable is then a state between two of the embedder's changes as far as they are made under the lock. Null for none.
    /// </summary>
    internal Action<Action>? RecordsLock { get; set; }

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
    /// Moves slots out of sparse spans and gives the memory back, until the store is as dense as it gets or so many slots have been moved.
    /// Others go on meanwhile; about half a microsecond a slot.
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
    /// About how many bytes of real memory <see cref="Shrink"/> could give back at once: what stands empty, and all ephemeral pages.
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
    /// Gives memory back to the system: empty spans first, then the holes that compaction closes, then ephemeral pages. Persistent pages stay.
    /// </summary>
    /// <returns>Bytes given back; fewer than asked for when nothing is left to give, or when others fill the store as fast as it is emptied.</returns>
    public long Shrink(long bytes)
    {
        using var call = Gate.Enter();
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        var before = _spans.Used;
        _reclaimer.ShrinkTo(before - bytes, insists: false);
        return Math.Max(0, before - _spans.Used);
    }

    /// <summary>
    /// Gives the store another capacity while it is in use; who asks for one while another is being made room for waits. A lower one is made room
    /// for by <see cref="Shrink"/>; NoRoom, and the old capacity, if persistent pages take more than that, and Reserved if they do together with
    /// what is reserved. InvalidArgument below <see cref="EngineOptions.MinimumCapacity"/> or above
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

    /// <summary>
    /// Allocates and touches what the calling thread needs, so that the data path never grows anything. A thread that was not prepared, or
    /// for less than it meets, does so with its first page.
    /// </summary>
    /// <param name="pageSize">The largest pages the thread will see, in bytes.</param>
    /// <param name="codec">The codec of the pools it will use that needs most: <see cref="TmemCodec.Zstd"/> or any other.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such page size or codec.</exception>
    public void PrepareThread(int pageSize = TmemClient.PageSize, TmemCodec codec = TmemCodec.Page)
    {
        using var call = Gate.Enter();
        if (!PageSizes.IsServed(pageSize)) throw new ArgumentOutOfRangeException(nameof(pageSize), pageSize, "no pool has pages of this size");
        if (!PageCodecs.IsKnown(codec)) throw new ArgumentOutOfRangeException(nameof(codec), codec, "there is no such codec");
        Scratch.For(pageSize);
        if (codec == TmemCodec.Zstd) ZstdCodec.Prepare(pageSize);
    }

    /// <summary>
    /// Walks index, slots and spans and unpacks every page. Safe while others work: it looks at a piece at a time, and nobody waits for more than
    /// half a millisecond. <paramref name="quiescent"/> says that nobody works: then all of the structure is looked at in one go, and the counters'
    /// agreement with what was walked is checked as well.
    /// </summary>
    public VerifierReport Verify(bool quiescent = false)
    {
        using var call = Gate.Enter();
        if (!quiescent)
        {
            using var live = new LiveVerifier(_slabs, PoolTable, Operations);
            return live.Run();
        }
        using var verifier = new TmemVerifier(_slabs, PoolTable, Operations);
        _compactor.Hold();
        try { return verifier.Run(quiescent); }
        finally { _compactor.Release(); }
    }

    /// <summary>Drops every page whose stored bytes fail their checksum or do not unpack.</summary>
    private void DropCorruptPages()
    {
        using var pages = new PageWalk(Operations);
        foreach (var pool in PoolTable.Living())
        {
            pages.Run(pool, handle =>
            {
                _damage!.Found($"{handle} is corrupt: its stored bytes fail their checksum or do not unpack");
                Operations.FlushPage(pool, handle.Object, handle.Index);
            });
        }
    }

    /// <summary>A region that holds more than it may hold now is made smaller as far as that goes; what cannot be had is said.</summary>
    private void FitIn(EngineOptions options)
    {
        if (options.MaximumCapacityBytes != 0 && options.MaximumCapacityBytes != MaximumCapacity)
        {
            options.Notice?.Invoke(new TmemNotice(IsProblem: true, $"{_memory.Name} was made for a capacity of at most {MaximumCapacity >> 20} MiB, and that "
                + $"is so for as long as it lives: the {options.MaximumCapacityBytes >> 20} MiB asked for are without effect"));
        }
        if (_spans.Used <= _spans.Capacity || _reclaimer.ShrinkTo(_spans.Capacity, insists: true)) return;
        options.Notice?.Invoke(new TmemNotice(IsProblem: true, $"{_memory.Name} holds {Up(_spans.Used)} MiB that have to stay, more than the capacity of "
            + $"{options.CapacityBytes >> 20} MiB: it takes that much memory, and nothing new is stored until enough of it is gone. "
            + $"Open it with a capacity of {Up(_spans.Used)} MiB or more, or delete something"));

        static long Up(long bytes) => (bytes + (1 << 20) - 1) >> 20;
    }

    /// <summary>A store that is full and changes as a whole needs its size twice on the disk: the image, and a journal as large.</summary>
    private static void LookAtDisk(RegionImage image, EngineOptions options)
    {
        const int journalPages = Durability.JournalFormat.MostEntries;
        var need = options.CapacityBytes * 2 + options.CapacityBytes / journalPages;
        if (image.RoomBytes is var room && room >= 0 && room < need)
        {
            options.Notice?.Invoke(new TmemNotice(IsProblem: true, $"the disk of {image.Name} has {room >> 20} MiB for it, and a full store that changes as a "
                + $"whole needs {need >> 20}: its image, and a journal as large. While there is no room for what has changed, a sync fails and all stays in memory. "
                + "Make room there, or lower the capacity"));
        }
    }

    internal bool MakeRoom(ref RoomSearch search) => _reclaimer.MakeRoom(ref search);

    internal static PoolSnapshot Snapshot(Pool pool) =>
        new(pool.Id, pool.Owner.Id, pool.Options with { ReserveBytes = pool.ReserveBytes }, pool.PageSize, pool.Counters.Read(pool.PageSize))
        { RecentCorrupt = pool.CorruptPages.Read(pool.Id) };

    /// <summary>
    /// Lets go of the region. A region in a file is written out first and can be opened again, as can one in a descriptor that somebody else
    /// still holds. To be told whether it could be written, call <see cref="Sync"/> before.
    /// <para>Waits for calls under way in other threads, of this engine and of its clients; every call that begins after it, but another of these, is
    /// answered with <see cref="ObjectDisposedException"/>. A second call beside the first returns at once.</para>
    /// </summary>
    /// <exception cref="InvalidOperationException">Called from within a call of this engine, as by a stream that a save writes to.</exception>
    public void Dispose()
    {
        if (!Gate.Close()) return;
        _background?.Dispose();
        _checkpointer?.Dispose();
        Huge?.Dispose();
        _slabs.Dispose();
        _memory.Dispose();
    }

    private void StandStill(Action action)
    {
        if (RecordsLock is { } holds) holds(Run);
        else Run();

        void Run() => Standstill.Run(PoolTable, _slabs, noneWaits: false, _ => action());
    }
}
