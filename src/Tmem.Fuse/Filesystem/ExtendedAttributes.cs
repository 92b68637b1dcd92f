using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Stored extended attributes: one tree of records a file, ordered as the names of a directory are. A value may have 32,000 bytes
/// (one record), a file 1,024 attributes and 64 KiB of names and values in all, and each counts against the pool's limit: more
/// than ext4 allows, and little enough to free or list in one go. The inode holds both totals, so that no call walks more than a
/// path down the tree. <see cref="AttributeNames"/> decides which names are allowed. The caller holds the namespace lock. Set and
/// Remove, when they succeed, leave an operation under way in the journal, which the caller ends.
/// </summary>
internal sealed class ExtendedAttributes(RecordStore records, Journal journal, NameHash hash)
{
    public const int MaximumValue = 32_000;
    public const int MaximumTotal = 64 * 1024;
    public const int MaximumCount = 1024;

    private const uint CreateOnly = 1;
    private const uint ReplaceOnly = 2;

    private readonly RecordTree<AttributeRecord> _tree = new(records);

    /// <exception cref="DamagedRecordException">The reference is no attribute.</exception>
    public ReadOnlySpan<byte> Name(RecordRef attribute) => Bytes(attribute, out var nameLength)[..nameLength];

    private ReadOnlySpan<byte> Value(RecordRef attribute) => Bytes(attribute, out var nameLength)[nameLength..];

    private ReadOnlySpan<byte> Bytes(RecordRef attribute, out int nameLength)
    {
        ref var record = ref records.Get<AttributeRecord>(attribute);
        nameLength = record.NameLength;
        var bytes = records.Bytes(attribute)[Unsafe.SizeOf<AttributeRecord>()..];
        if (nameLength + record.ValueLength > bytes.Length) throw new DamagedRecordException(attribute);
        return bytes[..(nameLength + record.ValueLength)];
    }

    public RecordRef Find(RecordRef inode, ReadOnlySpan<byte> name)
    {
        var sought = hash.Of(name);
        var at = NameHash.FirstKey(sought);
        while (true)
        {
            var attribute = Next(inode, at);
            if (attribute.IsNone) return RecordRef.None;
            var key = records.Get<AttributeRecord>(attribute).Key;
            if (NameHash.HashOf(key) != sought) return RecordRef.None;
            if (Name(attribute).SequenceEqual(name)) return attribute;
            at = key + 1;
        }
    }

    /// <summary>
    /// ENODATA if there is none, ERANGE if it does not fit, EIO if it is damaged; an empty buffer asks for the length alone.
    /// </summary>
    public Errno Get(RecordRef inode, ReadOnlySpan<byte> name, Span<byte> value, out int length)
    {
        length = 0;
        var attribute = Find(inode, name);
        if (attribute.IsNone) return Errno.ENODATA;
        return RecordSum.AttributeHolds(records, attribute) ? Copy(Value(attribute), value, out length) : Errno.EIO;
    }

    /// <summary>
    /// EEXIST and ENODATA as the flags ask, E2BIG for too long a value, ENOSPC beyond a file's bounds, without room, or at the
    /// limit of pool or client.
    /// </summary>
    public Errno Set(RecordRef inode, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, uint flags)
    {
        if ((flags & ~(CreateOnly | ReplaceOnly)) != 0) return Errno.EINVAL;
        if (value.Length > MaximumValue) return Errno.E2BIG;
        var old = Find(inode, name);
        if (old.IsNone && (flags & ReplaceOnly) != 0) return Errno.ENODATA;
        if (!old.IsNone && (flags & CreateOnly) != 0) return Errno.EEXIST;
        ref var owner = ref records.Get<InodeRecord>(inode);
        if (old.IsNone && owner.AttributeCount >= MaximumCount) return Errno.ENOSPC;
        if (name.Length + value.Length + owner.AttributeBytes - (old.IsNone ? 0 : Size(old)) > MaximumTotal) return Errno.ENOSPC;
        var key = old.IsNone ? NameHash.FreeKey(_tree, owner.Attributes, hash.Of(name)) : records.Get<AttributeRecord>(old).Key;
        if (key == 0) return Errno.ENOSPC;

        var payload = Unsafe.SizeOf<AttributeRecord>() + name.Length + value.Length;
        var status = records.Allocate(RecordKind.Attribute, payload, out var attribute, new PoolId(owner.Pool));
        if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        ref var record = ref records.Get<AttributeRecord>(attribute);
        record.Key = key;
        record.Owner = inode.Value;
        record.NameLength = (ushort)name.Length;
        record.ValueLength = (ushort)value.Length;
        var bytes = records.Bytes(attribute)[Unsafe.SizeOf<AttributeRecord>()..];
        name.CopyTo(bytes);
        value.CopyTo(bytes[name.Length..]);
        record.Sum = RecordSum.OfAttribute(records, attribute);
        journal.Begin();
        if (!old.IsNone) Retire(inode, old);
        journal.Publish(attribute);
        Insert(inode, attribute);
        return Errno.Ok;
    }

    public Errno Remove(RecordRef inode, ReadOnlySpan<byte> name)
    {
        var attribute = Find(inode, name);
        if (attribute.IsNone) return Errno.ENODATA;
        journal.Begin();
        Retire(inode, attribute);
        return Errno.Ok;
    }

    /// <summary>
    /// Appends the names, except those with the prefix <paramref name="without"/> (if it is not empty), each with a NUL, as far
    /// as they fit; <paramref name="length"/> grows by the length of all of them. Damaged attributes are left out.
    /// </summary>
    public void List(RecordRef inode, ReadOnlySpan<byte> without, Span<byte> names, ref int length)
    {
        for (var at = Next(inode, 0); !at.IsNone; at = Next(inode, records.Get<AttributeRecord>(at).Key + 1))
            if (RecordSum.AttributeHolds(records, at) && (without.IsEmpty || !Name(at).StartsWith(without)))
                AppendName(Name(at), names, ref length);
    }

    /// <summary>Gives an inode that does not exist yet the attributes of another; damaged ones are left out.</summary>
    public Errno CopyAll(RecordRef from, RecordRef to)
    {
        for (var at = Next(from, 0); !at.IsNone; at = Next(from, records.Get<AttributeRecord>(at).Key + 1))
        {
            if (!RecordSum.AttributeHolds(records, at)) continue;
            var error = Set(to, Name(at), Value(at), 0);
            if (error != Errno.Ok) return error;
            journal.Commit();
        }
        return Errno.Ok;
    }

    public static void AppendName(ReadOnlySpan<byte> name, Span<byte> names, ref int length)
    {
        if (length + name.Length + 1 <= names.Length)
        {
            name.CopyTo(names[length..]);
            names[length + name.Length] = 0;
        }
        length += name.Length + 1;
    }

    /// <summary>Copies a value; an empty buffer asks for its length alone.</summary>
    public static Errno Copy(ReadOnlySpan<byte> source, Span<byte> value, out int length)
    {
        length = source.Length;
        if (value.IsEmpty || source.TryCopyTo(value)) return Errno.Ok;
        length = 0;
        return Errno.ERANGE;
    }

    /// <summary>Frees the attributes of a dying inode.</summary>
    public void FreeAll(RecordRef inode)
    {
        ref var owner = ref records.Get<InodeRecord>(inode);
        for (var at = Next(inode, 0); !at.IsNone; at = Next(inode, 0))
        {
            if (!_tree.Remove(ref owner.Attributes, records.Get<AttributeRecord>(at).Key)) throw new DamagedRecordException(at);
            records.Free(at);
        }
        owner.AttributeCount = owner.AttributeBytes = 0;
    }

    /// <summary>The first attribute with a key at or above <paramref name="key"/>, or none.</summary>
    public RecordRef Next(RecordRef inode, ulong key) => _tree.AtOrAbove(records.Get<InodeRecord>(inode).Attributes, key);

    /// <summary>Inserts an attribute into its inode's tree. False if its key is taken.</summary>
    public bool Insert(RecordRef inode, RecordRef attribute)
    {
        ref var owner = ref records.Get<InodeRecord>(inode);
        ref var record = ref records.Get<AttributeRecord>(attribute);
        record.Left = record.Right = 0;
        if (!_tree.Insert(ref owner.Attributes, attribute)) return false;
        owner.AttributeCount++;
        owner.AttributeBytes += (uint)Size(attribute);
        return true;
    }

    public int Size(RecordRef attribute)
    {
        ref var record = ref records.Get<AttributeRecord>(attribute);
        return record.NameLength + record.ValueLength;
    }

    private void Retire(RecordRef inode, RecordRef attribute)
    {
        ref var owner = ref records.Get<InodeRecord>(inode);
        var key = records.Get<AttributeRecord>(attribute).Key;
        if (_tree.Find(owner.Attributes, key) != attribute) throw new DamagedRecordException(attribute);
        _tree.Remove(ref owner.Attributes, key);
        owner.AttributeCount--;
        owner.AttributeBytes -= (uint)Size(attribute);
        journal.Retire(attribute);
    }
}
