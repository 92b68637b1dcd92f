namespace Tmem.Engine.Records;

/// <summary>
/// Records of the embedder in the region: a file system's inodes, names and attributes. A record has a kind (1..255) and a payload of
/// fixed size; it exists, for whoever attaches later, from <see cref="Commit"/> (one 8-byte store) to <see cref="Free"/>. Allocation
/// is safe from any thread; a record's contents are the owner's to lock.
/// </summary>
public sealed class RecordStore
{
    /// <summary>Largest payload of a record, in bytes.</summary>
    public const int MaximumPayload = 32 * 1024;

    /// <summary>A new record with a zeroed payload, not yet committed. NoRoom when the store is full (ephemeral pages are evicted first).</summary>
    public TmemStatus Allocate(byte kind, int payload, out RecordRef record) => throw new NotImplementedException();

    /// <summary>Makes the record exist across an attach.</summary>
    public void Commit(RecordRef record) => throw new NotImplementedException();

    /// <summary>Frees a record, committed or not. Its memory may be given back at once.</summary>
    public void Free(RecordRef record) => throw new NotImplementedException();

    /// <summary>The payload as a struct. <typeparamref name="T"/> must not be larger than the payload.</summary>
    public ref T Get<T>(RecordRef record) where T : unmanaged => throw new NotImplementedException();

    /// <summary>The whole payload.</summary>
    public Span<byte> Bytes(RecordRef record) => throw new NotImplementedException();

    /// <summary>True if this reference, which may come from anywhere, is that of a committed record of that kind.</summary>
    public bool IsRecord(RecordRef record, byte kind) => throw new NotImplementedException();

    /// <summary>Calls <paramref name="visit"/> for every committed record of a kind. Nobody may allocate or free records meanwhile (but for the visitor itself, freeing the one it is shown).</summary>
    public void ForEach(byte kind, Action<RecordRef> visit) => throw new NotImplementedException();

    /// <summary>The one reference the region keeps for the embedder to find its records by. Set with one 8-byte store.</summary>
    public RecordRef Root { get => throw new NotImplementedException(); set => throw new NotImplementedException(); }
}
