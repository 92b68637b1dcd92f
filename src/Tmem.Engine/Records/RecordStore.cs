using System.Runtime.CompilerServices;
using Tmem.Engine.Region;

namespace Tmem.Engine.Records;

/// <summary>
/// Records of the embedder in the region: a file system's inodes, names and attributes. A record has a kind (1..255) and a payload of
/// fixed size; it exists, for whoever attaches later, from <see cref="Commit"/> (one 8-byte store) to <see cref="Free"/>. Allocation
/// is safe from any thread; a record's contents are the owner's to lock.
/// <code>
/// word 0   | payload length : 32 | 0 : 16 | kind : 8 | 0 : 5 | retired | 1 (committed) | 0 |      1 until committed, 0 when free
/// word 1   the same word 0 will be, kept until the commit
/// words 2-    payload
/// </code>
/// An embedder that changes several records at once keeps a log of words and what they were: word 0 is such a word. A record may be
/// <em>retired</em> before it is freed: it no longer exists, but its slot and contents stay, across an attach too, so that the log can bring it back.
/// </summary>
internal sealed unsafe class RecordStore
{
    private const int HeaderBytes = 16;
    private const ulong Committed = 2;
    private const ulong Retired = 4;

    private readonly SlabAllocator _slabs;
    private readonly Superblock* _superblock;

    internal RecordStore(SlabAllocator slabs, Superblock* superblock)
    {
        _slabs = slabs;
        _superblock = superblock;
    }

    /// <summary>Largest payload of a record, in bytes.</summary>
    public const int MaximumPayload = (32 << 10) - HeaderBytes;

    /// <summary>The one reference the region keeps for the embedder to find its records by. Set with one 8-byte store.</summary>
    public RecordRef Root
    {
        get => new(Volatile.Read(ref _superblock->RecordRoot));
        set => Volatile.Write(ref _superblock->RecordRoot, value.Value);
    }

    /// <summary>A new record with a zeroed payload, not yet committed. NoRoom when the store is full (ephemeral pages are evicted first).</summary>
    /// <exception cref="ArgumentOutOfRangeException">Kind 0, or a payload of less than 1 or more than <see cref="MaximumPayload"/> bytes.</exception>
    public TmemStatus Allocate(byte kind, int payload, out RecordRef record)
    {
        ArgumentOutOfRangeException.ThrowIfZero(kind);
        ArgumentOutOfRangeException.ThrowIfLessThan(payload, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payload, MaximumPayload);
        var place = _slabs.AllocateEvicting(SpanKind.Records, SizeClasses.For(payload + HeaderBytes));
        record = new RecordRef(place >> 4);
        if (place == 0) return TmemStatus.NoRoom;
        var words = (ulong*)_slabs.At(place);
        words[1] = (ulong)(uint)payload << 32 | (uint)kind << 8 | Committed;
        new Span<byte>(words + 2, payload).Clear();
        return TmemStatus.Ok;
    }

    /// <summary>Makes the record exist across an attach.</summary>
    public void Commit(RecordRef record) => Store(ref StateOf(record), CommittedState(record));

    /// <summary>Frees a record, committed or not. Its memory may be given back at once.</summary>
    public void Free(RecordRef record)
    {
        BeforeStore?.Invoke();
        _slabs.Free(record.Value << 4);
    }

    /// <summary>Frees every retired record: once the embedder's log has brought back those that are to stay.</summary>
    public void FreeRetired() => ForEachSlot((record, header) =>
    {
        if ((header & (Committed | Retired | 1)) == (Committed | Retired)) Free(record);
    });

    /// <summary>The word that says whether a record exists: <see cref="CommittedState"/>, <see cref="RetiredState"/> or neither.</summary>
    public ref ulong StateOf(RecordRef record) => ref *(ulong*)At(record);

    /// <summary>The state of a record that exists.</summary>
    public ulong CommittedState(RecordRef record) => ((ulong*)At(record))[1];

    /// <summary>The state of a record that exists no longer and is not freed yet.</summary>
    public ulong RetiredState(RecordRef record) => CommittedState(record) | Retired;

    /// <summary>Changes a word of a record with one 8-byte store, which nothing written before can be seen after.</summary>
    public void Store(ref ulong word, ulong value)
    {
        BeforeStore?.Invoke();
        Volatile.Write(ref word, value);
    }

    /// <summary>Where a word of a record lies, for whoever attaches later: see <see cref="WordAt"/>.</summary>
    public ulong PlaceOf(ref ulong word) => (ulong)((byte*)Unsafe.AsPointer(ref word) - _slabs.At(0));

    /// <summary>The word at a place that <see cref="PlaceOf"/> gave.</summary>
    /// <exception cref="RegionException">There are no records at this place.</exception>
    public ref ulong WordAt(ulong place)
    {
        var spans = _slabs.Spans;
        if (place % sizeof(ulong) != 0 || !spans.Contains(place) || spans.Table[spans.SpanOf(place)].Kind != SpanKind.Records)
            throw new RegionException($"the region is damaged: its log of changes names place {place:x}, where no record lies");
        return ref *(ulong*)_slabs.At(place);
    }

    /// <summary>For tests: called before each store that makes, frees or changes a record for good; what it throws stands for a kill.</summary>
    internal Action? BeforeStore { get; set; }

    /// <summary>The payload as a struct. <typeparamref name="T"/> must not be larger than the payload.</summary>
    public ref T Get<T>(RecordRef record) where T : unmanaged => ref Unsafe.AsRef<T>(At(record) + HeaderBytes);

    /// <summary>The whole payload.</summary>
    public Span<byte> Bytes(RecordRef record)
    {
        var words = (ulong*)At(record);
        return new Span<byte>(words + 2, (int)(words[1] >> 32));
    }

    /// <summary>True if this reference, which may come from anywhere, is that of a committed record of that kind.</summary>
    public bool IsRecord(RecordRef record, byte kind)
    {
        if (record.Value >= 1UL << 44) return false;
        var place = record.Value << 4;
        if (place == 0 || !_slabs.IsSlot(place, SpanKind.Records)) return false;
        var words = (ulong*)_slabs.At(place);
        var header = Volatile.Read(ref words[0]);
        // The two copies agree and the payload ends in its slot, or a bit of one has flipped, or the record is retired.
        return IsKept(header) && (byte)(header >> 8) == kind && header == words[1]
            && (long)(header >> 32) <= _slabs.SlotBytes(place) - HeaderBytes;
    }

    /// <summary>
    /// Calls <paramref name="visit"/> for every committed record of a kind. Nobody may allocate or free records meanwhile, but for the
    /// visitor itself freeing the one it is shown.
    /// </summary>
    public void ForEach(byte kind, Action<RecordRef> visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ForEachSlot((record, _) =>
        {
            if (IsRecord(record, kind)) visit(record);
        });
    }

    private void ForEachSlot(Action<RecordRef, ulong> visit)
    {
        var spans = _slabs.Spans;
        for (uint span = 0; span < spans.HighWater; span++)
        {
            ref var entry = ref spans.Table[span];
            // Read again for each slot: freeing its last record gives the span away.
            for (var slot = 0; entry.Kind == SpanKind.Records && slot < entry.Bump; slot++)
            {
                var record = new RecordRef(spans.PlaceOf(span) + (ulong)(slot * SizeClasses.Size(entry.Class)) >> 4);
                visit(record, StateOf(record));
            }
        }
    }

    /// <summary>Whether an attach keeps a slot with this first word: records that exist, and retired ones.</summary>
    internal static bool IsKept(ulong header) => (header & (Committed | 1)) == Committed;

    private byte* At(RecordRef record) => _slabs.At(record.Value << 4);
}
