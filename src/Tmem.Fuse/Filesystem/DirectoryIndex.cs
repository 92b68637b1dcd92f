using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The names of a directory: a tree of entry records ordered by <see cref="EntryRecord.Key"/>, its root word in the directory's
/// inode. Ordered by hash, not by name, every entry has a 63-bit offset from which READDIR can resume, in a directory of any
/// size. The caller holds the namespace lock.
/// </summary>
internal sealed class DirectoryIndex
{
    /// <summary>Cookies of "." and ".."; all keys are greater.</summary>
    public const ulong SelfCookie = 1;
    public const ulong ParentCookie = 2;

    /// <summary>Longest name, in bytes.</summary>
    public const int MaximumName = 255;

    private readonly RecordStore _records;
    private readonly RecordTree<EntryRecord> _tree;
    private readonly NameHash _hash;

    /// <param name="records">The store of the entries.</param>
    /// <param name="hash">The region's hash of names.</param>
    public DirectoryIndex(RecordStore records, in NameHash hash)
    {
        _records = records;
        _tree = new RecordTree<EntryRecord>(records);
        _hash = hash;
    }

    /// <exception cref="DamagedRecordException">The reference is no entry.</exception>
    public ReadOnlySpan<byte> Name(RecordRef entry)
    {
        var length = _records.Get<EntryRecord>(entry).NameLength;
        var bytes = _records.Bytes(entry)[Unsafe.SizeOf<EntryRecord>()..];
        if (length > MaximumName || length > bytes.Length) throw new DamagedRecordException(entry);
        return bytes[..(int)length];
    }

    /// <summary>The entry of this name, or none. Its contents are valid only if its sum holds.</summary>
    public RecordRef Find(RecordRef directory, ReadOnlySpan<byte> name)
    {
        var root = _records.Get<InodeRecord>(directory).Children;
        var hash = _hash.Of(name);
        var at = NameHash.FirstKey(hash);
        while (true)
        {
            var entry = _tree.AtOrAbove(root, at);
            if (entry.IsNone) return RecordRef.None;
            var key = _records.Get<EntryRecord>(entry).Key;
            if (NameHash.HashOf(key) != hash) return RecordRef.None;
            if (Name(entry).SequenceEqual(name)) return entry;
            at = key + 1;
        }
    }

    /// <summary>The first entry with a key at or above <paramref name="key"/>, or none.</summary>
    public RecordRef Next(RecordRef directory, ulong key) =>
        _tree.AtOrAbove(_records.Get<InodeRecord>(directory).Children, key);

    public bool IsEmpty(RecordRef directory) => Next(directory, 0).IsNone;

    /// <summary>
    /// Makes an entry that refers to <paramref name="child"/> and counts against its pool, complete but neither committed nor in
    /// the tree. NoRoom when the store is full or there are already <see cref="NameHash.MostAlike"/> names of this hash.
    /// </summary>
    public TmemStatus Prepare(RecordRef directory, RecordRef child, ReadOnlySpan<byte> name, out RecordRef entry)
    {
        entry = RecordRef.None;
        var key = NameHash.FreeKey(_tree, _records.Get<InodeRecord>(directory).Children, _hash.Of(name));
        if (key == 0) return TmemStatus.NoRoom;
        var pool = new PoolId(_records.Get<InodeRecord>(child).Pool);
        var status = _records.Allocate(RecordKind.Entry, Unsafe.SizeOf<EntryRecord>() + name.Length, out entry, pool);
        if (status != TmemStatus.Ok) return status;
        ref var record = ref _records.Get<EntryRecord>(entry);
        record.Key = key;
        record.Parent = directory.Value;
        record.Child = child.Value;
        record.SumAndLength = (uint)name.Length;
        name.CopyTo(_records.Bytes(entry)[Unsafe.SizeOf<EntryRecord>()..]);
        record.SumAndLength = RecordSum.OfEntry(_records, entry, child.Value);
        return TmemStatus.Ok;
    }

    /// <summary>
    /// Points an entry to another inode, or, if that is none, marks its inode as lost. Within an operation under way.
    /// </summary>
    public void Switch(RecordRef entry, RecordRef child, Journal journal)
    {
        ref var record = ref _records.Get<EntryRecord>(entry);
        var sum = RecordSum.OfEntry(_records, entry, child.Value);
        journal.Set(ref record.Child, child.Value);
        journal.Set(ref record.SumAndLength, sum);
    }

    /// <summary>
    /// Inserts an entry into its directory's tree. False if its key is taken, which happens only in a damaged region.
    /// </summary>
    public bool Insert(RecordRef entry)
    {
        ref var record = ref _records.Get<EntryRecord>(entry);
        record.Left = 0;
        record.Right = 0;
        return _tree.Insert(ref _records.Get<InodeRecord>(new RecordRef(record.Parent)).Children, entry);
    }

    /// <summary>
    /// For a rebuild of all trees: adds an entry to those of a directory whose tree <see cref="Build"/> makes at the end.
    /// </summary>
    public void Gather(RecordTreeBuilder<EntryRecord> builder, RecordRef entry) => builder.Push(
        ref _records.Get<InodeRecord>(new RecordRef(_records.Get<EntryRecord>(entry).Parent)).Children, entry);

    /// <summary>
    /// Builds a directory's tree from the gathered entries. Returns a list of those left out because their key is taken, which
    /// happens only in a damaged region.
    /// </summary>
    public RecordRef Build(RecordTreeBuilder<EntryRecord> builder, RecordRef directory) =>
        builder.Build(ref _records.Get<InodeRecord>(directory).Children);

    /// <summary>Whether an entry is in its directory's tree, at its key.</summary>
    public bool Holds(RecordRef entry)
    {
        ref var record = ref _records.Get<EntryRecord>(entry);
        return Next(new RecordRef(record.Parent), record.Key) == entry;
    }

    /// <summary>Takes an entry out of its directory's tree. The caller retires or frees the record.</summary>
    /// <exception cref="DamagedRecordException">It is not there: no other entry may be removed in its place.</exception>
    public void Remove(RecordRef entry)
    {
        if (!Holds(entry)) throw new DamagedRecordException(entry);
        ref var record = ref _records.Get<EntryRecord>(entry);
        _tree.Remove(ref _records.Get<InodeRecord>(new RecordRef(record.Parent)).Children, record.Key);
    }
}
