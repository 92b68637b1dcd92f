using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Tmem.Engine.Format;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Records;

/// <summary>
/// The embedder's records in the region: a file system's inodes, names and attributes. A record has a kind (1..255), a payload of
/// fixed size and optionally a pool, whose limit, and whose client's, its slot counts against. For a later attach it exists from
/// <see cref="Commit"/> (one 8-byte store) to <see cref="Free"/>. Any thread may allocate; a record's contents are its owner's to
/// lock.
/// An embedder that changes several records at once keeps a log of words and their old values: word 0 is such a word. A record
/// may be <em>retired</em> before it is freed: it no longer exists, but its slot and contents stay, across an attach too, so that
/// the log can restore it.
/// <para>
/// A reference is untrusted input: it may come from a damaged record. Every method that takes one first checks that a slot of
/// records begins there, that the two copies of the header agree, and that kind and length are as requested (4 ns); if not, it
/// throws <see cref="DamagedRecordException"/> before touching anything. Rejected: a checksum over each record. Records change in
/// place under stores of single words, so it would have to be stored with each of them. An owner may checksum the parts that
/// never change.
/// </para>
/// </summary>
internal sealed unsafe class RecordStore
{
    private readonly SlabAllocator _slabs;
    private readonly Superblock* _superblock;
    private readonly PoolTable _pools;
    private readonly IRoomMaker _maker;

    internal RecordStore(SlabAllocator slabs, Superblock* superblock, PoolTable pools, IRoomMaker maker)
    {
        _maker = maker;
        _slabs = slabs;
        _superblock = superblock;
        _pools = pools;
    }

    /// <summary>Largest payload of a record, in bytes.</summary>
    public const int MaximumPayload = (32 << 10) - RecordHeader.Bytes;

    /// <summary>The embedder's root record, from which it finds the others. Set with one 8-byte store.</summary>
    public RecordRef Root
    {
        get => new(Volatile.Read(ref _superblock->RecordRoot));
        set => Volatile.Write(ref _superblock->RecordRoot, value.Value);
    }

    /// <summary>
    /// A new record with a zeroed payload, not yet committed. NoRoom when the store is full (ephemeral pages are evicted first);
    /// with a pool, PoolLimit, ClientLimit and Reserved as for a page, and NoSuchPool.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Kind 0, or a payload of less than 1 or more than
    /// <see cref="MaximumPayload"/> bytes.</exception>
    public TmemStatus Allocate(byte kind, int payload, out RecordRef record, PoolId pool = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(kind);
        ArgumentOutOfRangeException.ThrowIfLessThan(payload, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payload, MaximumPayload);
        record = RecordRef.None;
        var owner = _pools.Find(pool);
        if (owner is null && pool != default) return TmemStatus.NoSuchPool;
        var sizeClass = SizeClasses.For(payload + RecordHeader.Bytes);
        long asked = SizeClasses.Size(sizeClass);
        if (owner is null && _pools.Reserves is { Any: true } reserves && !reserves.TryAdmit(asked)) return TmemStatus.Reserved;
        // Checked first: nothing is evicted for a record that would be refused anyway.
        if (owner is not null && owner.TryGrow(asked, isRecord: true) is var grown and not TmemStatus.Ok) return grown;
        var place = _slabs.AllocateEvicting(SpanKind.Records, sizeClass, _maker);
        if (place == 0)
        {
            owner?.TryGrow(-asked);
            return TmemStatus.NoRoom;
        }
        if (owner is not null)
        {
            // A full store may hand out a larger free slot.
            owner.Adopt(_slabs.SlotBytes(place) - asked);
            owner.Counters.Add(Count.RecordBytes, _slabs.SlotBytes(place));
        }
        record = new RecordRef(place >> 4);
        var words = (ulong*)_slabs.At(place);
        words[1] = RecordHeader.Make(kind, payload, pool);
        new Span<byte>(words + 2, payload).Clear();
        return TmemStatus.Ok;
    }

    /// <summary>Makes the record exist across an attach.</summary>
    public void Commit(RecordRef record) => Store(ref StateOf(record), CommittedState(record));

    /// <summary>Frees a record, committed or not. Its memory may be given back at once.</summary>
    public void Free(RecordRef record)
    {
        BeforeStore?.Invoke();
        var words = At(record);
        var bytes = _slabs.SlotBytes(record.Value << 4);
        if (OwnerOf(words[1]) is { } pool)
        {
            pool.TryGrow(-bytes);
            pool.Counters.Add(Count.RecordBytes, -bytes);
        }
        _slabs.Free(record.Value << 4);
    }

    /// <summary>
    /// Rebuilds a record in a used slot with a damaged header, committed and empty, for an owner that knows what it was. False if
    /// it does not fit.
    /// </summary>
    public bool TryRemake(RecordRef record, byte kind, int payload)
    {
        var place = record.Value << 4;
        if (record.Value >= 1UL << 44 || !_slabs.IsUsedSlot(place, SpanKind.Records, out var bytes)
            || payload > bytes - RecordHeader.Bytes) return false;
        var words = (ulong*)_slabs.At(place);
        if (!RecordHeader.IsKept(words[0])) return false;
        words[1] = RecordHeader.Make(kind, payload, default);
        new Span<byte>(words + 2, payload).Clear();
        Store(ref words[0], words[1]);
        return true;
    }

    /// <summary>Frees a slot in state <see cref="RecordState.Damaged"/>. No pool's account includes it.</summary>
    public void FreeDamaged(RecordRef record)
    {
        BeforeStore?.Invoke();
        if (_slabs.IsUsedSlot(record.Value << 4, SpanKind.Records, out _) && !IsSound(record)) _slabs.Free(record.Value << 4);
    }

    /// <summary>
    /// The word that tells whether a record exists: <see cref="CommittedState"/>, <see cref="RetiredState"/> or neither.
    /// </summary>
    public ref ulong StateOf(RecordRef record) => ref *At(record);

    /// <summary>The state of a record that exists.</summary>
    public ulong CommittedState(RecordRef record) => At(record)[1];

    /// <summary>The state of a record that no longer exists and is not freed yet.</summary>
    public ulong RetiredState(RecordRef record) => CommittedState(record) | RecordHeader.Retired;

    /// <summary>Changes a word of a record with one 8-byte store that is ordered after all earlier writes.</summary>
    public void Store(ref ulong word, ulong value)
    {
        BeforeStore?.Invoke();
        Volatile.Write(ref word, value);
    }

    /// <summary>The place of a word of a record, for a later attach: see <see cref="WordAt"/>.</summary>
    public ulong PlaceOf(ref ulong word) => (ulong)((byte*)Unsafe.AsPointer(ref word) - _slabs.At(0));

    /// <summary>Whether a place, from <see cref="PlaceOf"/> but perhaps damaged since, lies in a span of records.</summary>
    public bool IsWord(ulong place)
    {
        var spans = _slabs.Spans;
        return place % sizeof(ulong) == 0 && spans.Contains(place) && spans.Table[spans.SpanOf(place)].Kind == SpanKind.Records;
    }

    /// <summary>The word at a place for which <see cref="IsWord"/> is true.</summary>
    /// <exception cref="DamagedRecordException">It is not.</exception>
    public ref ulong WordAt(ulong place)
    {
        if (!IsWord(place)) throw new DamagedRecordException(new RecordRef(place >> 4));
        return ref *(ulong*)_slabs.At(place);
    }

    /// <summary>For tests: called before each store that creates, frees or changes a record; throwing simulates a kill.</summary>
    internal Action? BeforeStore { get; set; }

    /// <summary>The payload of a record, committed, retired or just allocated.</summary>
    /// <exception cref="DamagedRecordException">The reference does not lead to a whole record of this kind.</exception>
    public ref T Get<T>(RecordRef record) where T : unmanaged, IRecord
    {
        var words = At(record);
        if (RecordHeader.Kind(words[1]) != T.Kind || RecordHeader.Length(words[1]) < sizeof(T))
            throw new DamagedRecordException(record);
        return ref Unsafe.AsRef<T>(words + 2);
    }

    /// <summary>
    /// As <see cref="Get"/>, unchecked: for a record that was whole when its reference was taken and that is never freed. So a
    /// bit flip in the header of a record that everything else goes through does not stop the rest.
    /// </summary>
    public ref T GetKept<T>(RecordRef record)
        where T : unmanaged, IRecord => ref Unsafe.AsRef<T>(_slabs.At(record.Value << 4) + RecordHeader.Bytes);

    /// <summary>As <see cref="Get"/>; a null reference if this is not a committed record of the kind.</summary>
    public ref T TryGet<T>(RecordRef record) where T : unmanaged, IRecord
    {
        if (!IsSound(record)) return ref Unsafe.NullRef<T>();
        var words = (ulong*)_slabs.At(record.Value << 4);
        var header = Volatile.Read(ref words[0]);
        if ((header & RecordHeader.States) != RecordHeader.Committed || RecordHeader.Kind(header) != T.Kind
            || RecordHeader.Length(header) < sizeof(T))
            return ref Unsafe.NullRef<T>();
        return ref Unsafe.AsRef<T>(words + 2);
    }

    /// <summary>The whole payload.</summary>
    /// <exception cref="DamagedRecordException">The reference does not lead to a record.</exception>
    public Span<byte> Bytes(RecordRef record)
    {
        var words = At(record);
        return new Span<byte>(words + 2, RecordHeader.Length(words[1]));
    }

    /// <summary>What there is of the payload of a slot in use whose header is damaged; empty if it is none.</summary>
    public ReadOnlySpan<byte> Remains(RecordRef record)
    {
        var place = record.Value << 4;
        return record.Value < 1UL << 44 && _slabs.IsUsedSlot(place, SpanKind.Records, out var bytes)
            ? new ReadOnlySpan<byte>(_slabs.At(place) + RecordHeader.Bytes, bytes - RecordHeader.Bytes) : [];
    }

    /// <summary>True if this reference, which may come from anywhere, is that of a committed record of that kind.</summary>
    public bool IsRecord(RecordRef record, byte kind) =>
        IsSound(record) && ((ulong*)_slabs.At(record.Value << 4))[0] is var header
            && (header & RecordHeader.States) == RecordHeader.Committed && RecordHeader.Kind(header) == kind;

    /// <summary>The pool that a record counts against, if any.</summary>
    public PoolId PoolOf(RecordRef record) => RecordHeader.Pool(At(record)[1]);

    /// <summary>
    /// Calls <paramref name="visit"/> for every committed record of a kind. No records may be allocated meanwhile; the visitor
    /// may free any.
    /// </summary>
    public void ForEach(byte kind, Action<RecordRef> visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ForEach((record, kindFound, state) =>
        {
            if (kindFound == kind && state == RecordState.Committed) visit(record);
        });
    }

    /// <summary>
    /// Calls <paramref name="visit"/> for every record that is or was committed, with its kind and state. As above.
    /// </summary>
    public void ForEach(Action<RecordRef, byte, RecordState> visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var spans = _slabs.Spans;
        for (uint span = 0; span < spans.HighWater; span++)
        {
            ref var entry = ref spans.Table[span];
            // Read again for each slot: freeing its last record gives the span away.
            for (var slot = 0; entry.Kind == SpanKind.Records && slot < entry.Bump; slot++)
            {
                var size = SizeClasses.Size(entry.Class);
                var place = spans.PlaceOf(span) + (ulong)((long)slot * size);
                var words = (ulong*)_slabs.At(place);
                var header = words[0];
                if (!RecordHeader.IsKept(header)) continue;
                var state = !RecordHeader.IsSound(header, words[1], size) ? RecordState.Damaged
                    : (header & RecordHeader.States) == RecordHeader.Committed ? RecordState.Committed : RecordState.Retired;
                visit(new RecordRef(place >> 4), RecordHeader.Kind(header), state);
            }
        }
    }

    /// <summary>
    /// Calls <paramref name="visit"/> for a limited number of used slots from a place on. Records may be allocated and freed
    /// between two calls.
    /// </summary>
    /// <param name="from">
    /// A place: 0 to start. Set to the place to continue from; every record below it has been shown, or is newer.
    /// </param>
    /// <param name="slots">The most slots to visit.</param>
    /// <param name="visit">
    /// Receives each record, sound or not, and its first word; returns how many further slots to charge for it.
    /// </param>
    /// <returns>False after the last slot.</returns>
    public bool Continue(ref ulong from, int slots, Func<RecordRef, ulong, int> visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var spans = _slabs.Spans;
        var span = from == 0 || !spans.Contains(from) ? 0u : spans.SpanOf(from);
        for (; span < spans.HighWater; span++)
        {
            ref var entry = ref spans.Table[span];
            var start = spans.PlaceOf(span);
            if (entry.Kind != SpanKind.Records)
            {
                // An entry of the table is charged as a slot too: a store may have a million spans of pages.
                from = start + RegionLayout.SpanBytes;
                if (--slots <= 0) return true;
                continue;
            }
            var size = (ulong)SizeClasses.Size(entry.Class);
            var slot = from <= start ? 0 : (int)((from - start + size - 1) / size);
            for (; entry.Kind == SpanKind.Records && slot < entry.Bump; slot++)
            {
                var place = start + (ulong)slot * size;
                var record = new RecordRef(place >> 4);
                var header = *(ulong*)_slabs.At(place);
                from = place + size;
                slots -= header == 0 ? 1 : 1 + visit(record, header);
                if (slots <= 0) return true;
            }
            from = start + RegionLayout.SpanBytes;
        }
        return false;
    }

    /// <summary>Prefetches the start of a record.</summary>
    public void Prefetch(RecordRef record)
    {
        if (!Sse.IsSupported || !_slabs.Spans.Contains(record.Value << 4)) return;
        var start = _slabs.At(record.Value << 4);
        Sse.Prefetch0(start);
        // A slot begins at any multiple of 16, so its first words may lie on two lines.
        Sse.Prefetch0(start + 48);
    }

    private Pool? OwnerOf(ulong copy) =>
        RecordHeader.Pool(copy) is var id && id != default && _pools.Holding(id) is { } pool ? pool : null;

    /// <summary>Whether this reference, not yet validated, leads to a whole record, in whatever state.</summary>
    public bool IsSound(RecordRef record)
    {
        if (record.Value >= 1UL << 44) return false;
        var place = record.Value << 4;
        // The memory of a never-used slot may not be present, and reading would populate it.
        if (!_slabs.IsUsedSlot(place, SpanKind.Records, out var bytes)) return false;
        var words = (ulong*)_slabs.At(place);
        return RecordHeader.IsSound(Volatile.Read(ref words[0]), words[1], bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong* At(RecordRef record) => IsSound(record) ? (ulong*)_slabs.At(record.Value << 4)
        : throw new DamagedRecordException(record);
}
