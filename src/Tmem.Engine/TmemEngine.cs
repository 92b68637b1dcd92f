using System.Runtime.Versioning;
using Tmem.Engine.Attach;
using Tmem.Engine.Codec;
using Tmem.Engine.Diagnostics;
using Tmem.Engine.Durability;
using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Reclaim;
using Tmem.Engine.Recompress;
using Tmem.Engine.Records;
using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>
/// A store of compressed pages with the contract of transcendent memory, in one region. Open it, get a client, and let the client
/// create pools. All members may be used from any thread.
/// </summary>
public sealed unsafe partial class TmemEngine : IDisposable
{
    /// <summary>The most memory set aside for a recompressor in a full store.</summary>
    private const long MostFloat = 1 << 20;

    private readonly RegionMemory _memory;
    private readonly Superblock* _superblock;
    private readonly SpanPool _spans;
    private readonly SlabAllocator _slabs;
    private readonly Compactor _compactor;
    private readonly Reclaimer _reclaimer;
    private readonly Ghosts _ghosts;
    private readonly BackgroundCompaction? _background;
    private readonly DamageReport? _damage;
    private readonly BackgroundRecompression? _recompression;
    private readonly EngineMeter? _meter;
    private readonly bool _attached;

    private TmemEngine(RegionMemory memory, RegionImage? image, EngineOptions options, bool attach)
    {
        Gate = new CallGate(this);
        _memory = memory;
        _superblock = (Superblock*)memory.Start;
        _spans = new SpanPool(memory, _superblock->SpanCount, options.ReadOnly ? RegionLayout.CapacityOf(_superblock->SpanCount)
            : options.CapacityBytes, (long*)options.PeakWord);
        _slabs = new SlabAllocator(memory, _spans);
        ClientTable = new ClientTable(memory);
        PoolTable = new PoolTable(memory, _spans, ClientTable, options.NewPagesCodec,
            options.Recompresses && !options.ReadOnly);
        var locator = new LeafLocator(_slabs);
        Dictionaries = new Dictionaries(memory, _slabs);
        var index = new RegionIndex(new RegionHost(_slabs), new CompressedStore(_slabs, Dictionaries));
        var removal = new RegionRemoval(index);
        _ghosts = new Ghosts(_spans);
        var hand = new EvictionHand(_slabs, PoolTable, ClientTable, removal, locator, _ghosts);
        _compactor = new Compactor(_slabs, PoolTable, new RegionRelocation(index), locator);
        _reclaimer = new Reclaimer(_spans, _slabs, PoolTable, hand, _compactor, _ghosts);
        Intent = new ExchangeIntent(memory);
        Operations = new RegionOperations(index, removal, _reclaimer, Intent);
        Records = new RecordStore(_slabs, _superblock, PoolTable, _reclaimer);
        _attached = attach;
        if (attach)
        {
            _damage = new DamageReport(memory.Name, options.DropDamaged);
            ClientTable.Adopt(_damage);
            PoolTable.Adopt(_damage);
            using (var walk = new AttachWalk(memory, _slabs, Dictionaries, PoolTable, Intent, _damage)) walk.Run();
        }
        _superblock->Generation++;
        // What the walk dropped is a change like any other.
        if (attach && _damage!.Count == 0) image?.Attached((long)_spans.PlaceOf((uint)_spans.HighWater));
        if (_damage?.Drops == true) DropCorruptPages();
        if (attach) FitIn(options);
        if (attach && !options.ReadOnly) FitGhosts();
        if (options.ReadOnly) image?.Dispose();
        else if (image is not null)
        {
            image.Opened(_superblock->Generation);
            if (!options.IsSuccessor) LookAtDisk(image, options);
            var checkpoint = new Checkpoint(image, () => (long)_spans.PlaceOf((uint)_spans.HighWater), StandStill);
            _checkpointer = new Checkpointer(image, checkpoint, options.SyncInterval, _spans.ReleaseReady, options.Notice);
        }
        if (options.HugePages && image is null && memory.MayBeHuge) Huge = new HugeBlocks(memory, _spans);
        var settings = options.Recompression with { Level = options.RecompressionLevel, Share = options.RecompressionShare };
        _makeRecompressor = () => new Recompressor(_slabs, PoolTable, index, locator, Dictionaries, _compactor,
            Gate.WaitForCallsUnderWay, settings);
        if (options.Recompresses && !options.ReadOnly)
        {
            _spans.Float = Math.Min(MostFloat, _spans.Capacity / 32);
            Recompressor = _makeRecompressor();
            if (options.RecompressInBackground)
                _recompression = new BackgroundRecompression(Recompressor, _slabs, PoolTable, settings);
        }
        if (options.CompactInBackground) _background = new BackgroundCompaction(_slabs, _compactor, Huge);
        // Last: a listener reads at once.
        if (options.MeterName is { } name) _meter = new EngineMeter(name, Statistics);
    }

    /// <summary>True when <see cref="Open"/> found a region and rebuilt from it.</summary>
    public bool Attached { get { using var call = Gate.Enter(); return _attached; } }

    /// <summary>
    /// The number of pages, objects and spans that <see cref="Open"/> dropped because they were damaged
    /// (<see cref="EngineOptions.DropDamaged"/>).
    /// </summary>
    public long DroppedCount { get { using var call = Gate.Enter(); return _damage?.Count ?? 0; } }

    /// <summary>A sentence for each of the first ten thousand, naming its handle or place.</summary>
    public IReadOnlyList<string> Dropped { get { using var call = Gate.Enter(); return _damage?.Sentences ?? []; } }

    /// <summary>What to call the region in a report: its file's name, if it has one.</summary>
    internal string RegionName => _memory.Name;

    /// <summary>The pages that sentences of <see cref="Dropped"/> begin with, for who can say more of them.</summary>
    internal IReadOnlyList<PageHandle> DroppedPages => _damage?.Pages ?? [];

    /// <summary>Fixed-size records in the region for the embedder (file-system metadata).</summary>
    internal RecordStore Records { get; }

    /// <summary>The gate that every public member passes.</summary>
    internal CallGate Gate { get; }

    internal RegionOperations Operations { get; }
    internal ExchangeIntent Intent { get; }
    internal ClientTable ClientTable { get; }
    internal PoolTable PoolTable { get; }
    internal SlabAllocator Slabs => _slabs;
    internal Dictionaries Dictionaries { get; }
    internal Recompressor? Recompressor { get; private set; }
    /// <summary>Whether the engine may drop what is damaged.</summary>
    internal bool DropsDamaged => _damage?.Drops ?? false;
    internal RegionMemory Memory => _memory;
    internal HugeBlocks? Huge { get; }
    internal long GhostBytes => _ghosts.Bytes;

    /// <summary>
    /// Creates an empty region, or attaches to the one that <paramref name="options"/> names: its pools and pages are then
    /// available again, under the capacity given now.
    /// </summary>
    /// <exception cref="ArgumentException">
    /// A capacity below <see cref="EngineOptions.MinimumCapacity"/>, or above the given maximum.
    /// </exception>
    /// <exception cref="RegionException">
    /// A file that is no region, of another version, damaged, in use, or without memory behind it.
    /// </exception>
    [SupportedOSPlatform("linux")]
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
        if (options.RecompressionLevel is < 1 or > 19)
            throw new ArgumentException($"there is no level {options.RecompressionLevel} of Zstandard: give 1 to 19",
                nameof(options));
        if (options.RecompressionShare is not (>= 0.001 and <= 1))
            throw new ArgumentException($"{options.RecompressionShare} is no part of a processor: give 0.001 to 1",
                nameof(options));
        if (options.CapacityBytes < EngineOptions.MinimumCapacity)
            throw new ArgumentException(
                $"a capacity of {options.CapacityBytes} bytes is below the smallest, {EngineOptions.MinimumCapacity}",
                    nameof(options));
    }

    /// <summary>
    /// Stops the engine's own threads, for a process about to end while another waits to open the same memory: from here on
    /// nothing touches it unless a member is called. Not for a region in a file: dispose of that engine instead.
    /// </summary>
    internal void Rest()
    {
        RestFromRecompression();
        _background?.Dispose();
    }

    /// <summary>All figures.</summary>
    public EngineStatistics Statistics()
    {
        using var call = Gate.Enter();
        var pools = new List<PoolSnapshot>();
        var total = PoolTable.Retired.Read(pageSize: 0);
        foreach (var pool in PoolTable.Living())
        {
            var snapshot = Snapshot(pool);
            total = PoolStatistics.Sum(total, snapshot.Statistics);
            if (pool.IsOpen) pools.Add(snapshot);
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
            WorkingBytes = Scratch.AllBytes + ZstdContexts.AllBytes + (Recompressor?.WorkingBytes ?? 0),
            ReservedBytes = PoolTable.Reserves.Total,
            UnmetReserveBytes = PoolTable.Reserves.Unmet,
            ReservableBytes = PoolTable.Reserves.Free,
            ExcessReserveBytes = PoolTable.Reserves.Excess,
            Spans = _spans.InUse,
            SpansReturned = _spans.Returned,
            SlotsMoved = _compactor.Moved,
            Generation = _superblock->Generation,
            Total = total,
            Pools = pools,
            DictionarySpanBytes = _spans.BytesOf(SpanKind.Dictionaries),
            Recompression = RecompressionFigures(),
            Durability = _checkpointer?.Figures ?? new DurabilityStatistics(),
        };
    }

    /// <summary>
    /// Allocates and touches what the calling thread needs, so that the data path never grows anything. A thread not prepared, or
    /// prepared for smaller pages, does so with its first page.
    /// </summary>
    /// <param name="pageSize">The largest pages the thread will see, in bytes.</param>
    /// <param name="codec">The most demanding codec of the pools it will use: <see cref="TmemCodec.Zstd"/> or any other.</param>
    /// <exception cref="ArgumentOutOfRangeException">The page size or codec is not supported.</exception>
    public void PrepareThread(int pageSize = TmemClient.PageSize, TmemCodec codec = TmemCodec.Page)
    {
        using var call = Gate.Enter();
        if (!PageSizes.IsServed(pageSize))
            throw new ArgumentOutOfRangeException(nameof(pageSize), pageSize, "no pool has pages of this size");
        if (!PageCodecs.IsKnown(codec)) throw new ArgumentOutOfRangeException(nameof(codec), codec, "there is no such codec");
        Scratch.For(pageSize);
        if (codec == TmemCodec.Zstd) ZstdCodec.Prepare(pageSize);
    }

    /// <summary>
    /// Walks index, slots and spans and unpacks every page. Safe beside other operations: it checks a piece at a time, and none
    /// waits for more than half a millisecond. With <paramref name="quiescent"/> the caller asserts that no operation is under
    /// way: then the whole structure is checked in one go, and the counters are compared with what was walked.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public VerifierReport Verify(bool quiescent = false, CancellationToken cancellation = default)
    {
        using var call = Gate.Enter();
        if (!quiescent)
        {
            using var live = new LiveVerifier(_slabs, Dictionaries, PoolTable, Operations);
            return live.Run(cancellation);
        }
        using var verifier = new TmemVerifier(_slabs, Dictionaries, PoolTable, Operations);
        _compactor.Hold();
        try { return verifier.Run(quiescent, cancellation); }
        finally { _compactor.Release(); }
    }

    /// <summary>As <see cref="Verify"/>, on a thread of its own. Dispose waits for it: cancel it first.</summary>
    public Task<VerifierReport> VerifyAsync(bool quiescent = false, CancellationToken cancellation = default) =>
        LongCall.Run(Gate, () => Verify(quiescent, cancellation), cancellation);

    /// <summary>Drops every page whose stored bytes fail their checksum or do not unpack.</summary>
    private void DropCorruptPages()
    {
        using var pages = new PageWalk(Operations);
        foreach (var pool in PoolTable.Living())
        {
            pages.Run(pool, handle =>
            {
                _damage!.Found(handle, " is corrupt: its stored bytes fail their checksum or do not unpack");
                Operations.Removal.FlushPage(pool, handle.Object, handle.Index);
            });
        }
    }

    internal static PoolSnapshot Snapshot(Pool pool) =>
        new(pool.Id, pool.Owner.Id, pool.Options with { ReserveBytes = pool.ReserveBytes }, pool.PageSize,
            pool.Counters.Read(pool.PageSize))
        { RecentCorrupt = pool.CorruptPages.Read(pool.Id) };

    /// <summary>
    /// Closes the engine and unmaps the region. A region in a file is written out first and can be opened again, as can one in a
    /// descriptor that another process still holds. To learn whether it could be written, call <see cref="Sync"/> before.
    /// <para>Waits for calls under way in other threads, on this engine and its clients; every later call except Dispose throws
    /// <see cref="ObjectDisposedException"/>. A concurrent second Dispose returns at once.</para>
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// Called from within a call of this engine, as by a stream that a save writes to.
    /// </exception>
    public void Dispose()
    {
        if (!Gate.Close()) return;
        _meter?.Dispose();
        _recompression?.Dispose();
        _background?.Dispose();
        Recompressor?.Dispose();
        _checkpointer?.Dispose();
        Huge?.Dispose();
        Dictionaries.Dispose();
        _slabs.Dispose();
        _ghosts.Dispose();
        _memory.Dispose();
    }
}
