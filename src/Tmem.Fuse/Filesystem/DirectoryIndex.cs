using System.IO.Hashing;
using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The names of a directory: a tree of entry records ordered by <see cref="EntryRecord.Key"/>, its root word in the directory's inode.
/// A hash order instead of an order by name gives every entry a number of 63 bits that READDIR can go on from, at any size of directory.
/// The caller holds the namespace lock.
/// </summary>
internal sealed class DirectoryIndex
{
    /// <summary>Cookies of "." and ".."; every key is above them.</summary>
    public const ulong SelfCookie = 1;
    public const ulong ParentCookie = 2;

    /// <summary>All bits of a hash.</summary>
    public const ulong FullHash = (1UL << 47) - 1;

    private const int HashShift = 16;
    private const ulong LastNumber = (1UL << HashShift) - 1;

    private readonly RecordStore _records;
    private readonly RecordTree<EntryRecord> _tree;
    private readonly long _seed;
    private readonly ulong _hashMask;

    /// <param name="records">Where the entries lie.</param>
    /// <param name="seed">The region's seed of the hash.</param>
    /// <param name="hashMask">Bits of the hash in use: <see cref="FullHash"/>, or fewer to make names collide.</param>
    public DirectoryIndex(RecordStore records, long seed, ulong hashMask)
    {
        _records = records;
        _tree = new RecordTree<EntryRecord>(records);
        _seed = seed;
        _hashMask = hashMask;
    }

    public ulong Hash(ReadOnlySpan<byte> name) => Math.Max(XxHash3.HashToUInt64(name, _seed) & _hashMask, 1);

    public ReadOnlySpan<byte> Name(RecordRef entry)
    {
        var length = (int)_records.Get<EntryRecord>(entry).NameLength;
        return _records.Bytes(entry).Slice(Unsafe.SizeOf<EntryRecord>(), length);
    }

    /// <summary>The entry of this name, or none.</summary>
    public RecordRef Find(RecordRef directory, ReadOnlySpan<byte> name)
    {
        var root = _records.Get<InodeRecord>(directory).Children;
        var hash = Hash(name);
        var at = hash << HashShift;
        while (true)
        {
            var entry = _tree.AtOrAbove(root, at);
            if (entry.IsNone) return RecordRef.None;
            var key = _records.Get<EntryRecord>(entry).Key;
            if (key >> HashShift != hash) return RecordRef.None;
            if (Name(entry).SequenceEqual(name)) return entry;
            at = key + 1;
        }
    }

    /// <summary>The first entry with a key at or above <paramref name="key"/>, or none.</summary>
    public RecordRef Next(RecordRef directory, ulong key) =>
        _tree.AtOrAbove(_records.Get<InodeRecord>(directory).Children, key);

    public bool IsEmpty(RecordRef directory) => Next(directory, 0).IsNone;

    /// <summary>
    /// A new entry that stands for <paramref name="child"/>, complete but neither committed nor in the tree. NoRoom when the store is
    /// full or 65,535 names of this hash are there already.
    /// </summary>
    public TmemStatus Prepare(RecordRef directory, RecordRef child, ReadOnlySpan<byte> name, out RecordRef entry)
    {
        entry = RecordRef.None;
        var key = FreeKey(_records.Get<InodeRecord>(directory).Children, Hash(name));
        if (key == 0) return TmemStatus.NoRoom;
        var status = _records.Allocate(RecordKind.Entry, Unsafe.SizeOf<EntryRecord>() + name.Length, out entry);
        if (status != TmemStatus.Ok) return status;
        ref var record = ref _records.Get<EntryRecord>(entry);
        record.Key = key;
        record.Parent = directory.Value;
        record.Child = child.Value;
        record.NameLength = (uint)name.Length;
        name.CopyTo(_records.Bytes(entry)[Unsafe.SizeOf<EntryRecord>()..]);
        return TmemStatus.Ok;
    }

    /// <summary>Puts an entry into its directory's tree. False if its key is taken, which only a damaged region can bring about.</summary>
    public bool Insert(RecordRef entry)
    {
        ref var record = ref _records.Get<EntryRecord>(entry);
        record.Left = 0;
        record.Right = 0;
        return _tree.Insert(ref _records.Get<InodeRecord>(new RecordRef(record.Parent)).Children, entry);
    }

    /// <summary>Takes an entry out of its directory's tree. To retire or free the record is the caller's.</summary>
    public void Remove(RecordRef entry)
    {
        ref var record = ref _records.Get<EntryRecord>(entry);
        _tree.Remove(ref _records.Get<InodeRecord>(new RecordRef(record.Parent)).Children, record.Key);
    }

    /// <summary>The lowest key of this hash that no entry has; 0 if there is none.</summary>
    private ulong FreeKey(ulong root, ulong hash)
    {
        for (var number = 1UL; number <= LastNumber; number++)
        {
            var key = hash << HashShift | number;
            var entry = _tree.AtOrAbove(root, key);
            if (entry.IsNone || _records.Get<EntryRecord>(entry).Key != key) return key;
        }
        return 0;
    }
}
