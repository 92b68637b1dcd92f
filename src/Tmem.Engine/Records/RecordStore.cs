using System.Runtime.CompilerServices;
using Tmem.Engine.Region;

namespace Tmem.Engine.Records;

/// <summary>
/// Records of the embedder in the region: a file system's inodes, names and attributes. A record has a kind (1..255) and a payload of
/// fixed size; it exists, for whoever attaches later, from <see cref="Commit"/> (one 8-byte store) to <see cref="Free"/>. Allocation
/// is safe from any thread; a record's contents are the owner's to lock.
/// <code>
/// word 0   | payload length : 32 | 0 : 16 | kind : 8 | 0 : 6 | 1 (committed) | 0 |      1 until committed, 0 when free
/// word 1   the same word 0 will be, kept until the commit
/// words 2-    payload
/// </code>
/// </summary>
public sealed unsafe class RecordStore
{
    private const int HeaderBytes = 16;
    private const ulong Committed = 2;

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
    public void Commit(RecordRef record)
    {
        var words = (ulong*)At(record);
        Volatile.Write(ref words[0], words[1]);
    }

    /// <summary>Frees a record, committed or not. Its memory may be given back at once.</summary>
    public void Free(RecordRef record) => _slabs.Free(record.Value << 4);

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
        // The two copies agree and the payload ends in its slot, or a bit of one has flipped.
        return IsCommitted(header) && (byte)(header >> 8) == kind && header == words[1]
            && (long)(header >> 32) <= _slabs.SlotBytes(place) - HeaderBytes;
    }

    /// <summary>
    /// Calls <paramref name="visit"/> for every committed record of a kind. Nobody may allocate or free records meanwhile, but for the
    /// visitor itself freeing the one it is shown.
    /// </summary>
    public void ForEach(byte kind, Action<RecordRef> visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var spans = _slabs.Spans;
        for (uint span = 0; span < spans.HighWater; span++)
        {
            ref var entry = ref spans.Table[span];
            // Read again for each slot: freeing its last record gives the span away.
            for (var slot = 0; entry.Kind == SpanKind.Records && slot < entry.Bump; slot++)
            {
                var record = new RecordRef(spans.PlaceOf(span) + (ulong)(slot * SizeClasses.Size(entry.Class)) >> 4);
                if (IsRecord(record, kind)) visit(record);
            }
        }
    }

    internal static bool IsCommitted(ulong header) => (header & 3) == Committed;

    private byte* At(RecordRef record) => _slabs.At(record.Value << 4);
}
