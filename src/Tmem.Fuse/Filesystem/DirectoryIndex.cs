using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The names of a directory: a tree of entry records ordered by <see cref="EntryRecord.Key"/>, its root word in the directory's
/// inode. A hash order instead of an order by name gives every entry a number of 63 bits that READDIR can go on from, at any size
/// of directory. The caller holds the namespace lock.
/// </summary>
internal sealed class DirectoryIndex
{
    /// <summary>Cookies of "." and ".."; every key is above them.</summary>
    public const ulong SelfCookie = 1;
    public const ulong ParentCookie = 2;

    /// <summary>Longest name, in bytes.</summary>
    public const int MaximumName = 255;

    private readonly RecordStore _records;
    private readonly RecordTree<EntryRecord> _tree;
    private readonly NameHash _hash;

    /// <param name="records">Where the entries lie.</param>
    /// <param name="hash">The region's hash of names.</param>
    public DirectoryIndex(RecordStore records, in NameHash hash)
    {
        _records = records;
        _tree = new RecordTree<EntryRecord>(records);
        _hash = hash;
    }

    /// <exception cref="DamagedRecordException">It is none.</exception>
    public ReadOnlySpan<byte> Name(RecordRef entry)
    {
        var length = _records.Get<EntryRecord>(entry).NameLength;
        var bytes = _records.Bytes(entry)[Unsafe.SizeOf<EntryRecord>()..];
        if (length > MaximumName || length > bytes.Length) throw new DamagedRecordException(entry);
        return bytes[..(int)length];
    }

    /// <summary>The entry of this name, or none. What it says is to be believed only if its sum holds.</summary>
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
    /// A new entry that stands for <paramref name="child"/> and counts against its pool, complete but neither committed nor in
    /// the tree. NoRoom when the store is full or <see cref="NameHash.MostAlike"/> names of this hash are there already.
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
    /// Has an entry stand for another inode, or, with none, for a lost one, within an operation that is under way.
    /// </summary>
    public void Switch(RecordRef entry, RecordRef child, Journal journal)
    {
        ref var record = ref _records.Get<EntryRecord>(entry);
        var sum = RecordSum.OfEntry(_records, entry, child.Value);
        journal.Set(ref record.Child, child.Value);
        journal.Set(ref record.SumAndLength, sum);
    }

    /// <summary>
    /// Puts an entry into its directory's tree. False if its key is taken, which only a damaged region can bring about.
    /// </summary>
    public bool Insert(RecordRef entry)
    {
        ref var record = ref _records.Get<EntryRecord>(entry);
        record.Left = 0;
        record.Right = 0;
        return _tree.Insert(ref _records.Get<InodeRecord>(new RecordRef(record.Parent)).Children, entry);
    }

    /// <summary>
    /// For who makes all trees anew: an entry of a directory whose tree is made by <see cref="Build"/> once all were gathered.
    /// </summary>
    public void Gather(RecordTreeBuilder<EntryRecord> builder, RecordRef entry) => builder.Push(
        ref _records.Get<InodeRecord>(new RecordRef(_records.Get<EntryRecord>(entry).Parent)).Children, entry);

    /// <summary>
    /// Makes the tree of what was gathered for a directory. Returns a list of what is not in it, as its key is taken, which only
    /// a damaged region can bring about.
    /// </summary>
    public RecordRef Build(RecordTreeBuilder<EntryRecord> builder, RecordRef directory) =>
        builder.Build(ref _records.Get<InodeRecord>(directory).Children);

    /// <summary>Whether an entry stands in its directory's tree, at its key.</summary>
    public bool Holds(RecordRef entry)
    {
        ref var record = ref _records.Get<EntryRecord>(entry);
        return Next(new RecordRef(record.Parent), record.Key) == entry;
    }

    /// <summary>Takes an entry out of its directory's tree. To retire or free the record is the caller's.</summary>
    /// <exception cref="DamagedRecordException">It is not there: another one must not go for it.</exception>
    public void Remove(RecordRef entry)
    {
        if (!Holds(entry)) throw new DamagedRecordException(entry);
        ref var record = ref _records.Get<EntryRecord>(entry);
        _tree.Remove(ref _records.Get<InodeRecord>(new RecordRef(record.Parent)).Children, record.Key);
    }
}
