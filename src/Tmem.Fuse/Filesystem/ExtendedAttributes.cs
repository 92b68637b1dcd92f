using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Stored extended attributes: a chain of records a file. A value may have 32,000 bytes (one record) and a file 64 KiB of names and
/// values in all; the chain is short enough to walk. Which names are allowed where is decided in TmemFileSystem.Attributes.cs.
/// The caller holds the namespace lock. Set and Remove, when they succeed, leave an operation under way in the journal for the caller to end.
/// </summary>
internal sealed class ExtendedAttributes(RecordStore records, Journal journal)
{
    public const int MaximumValue = 32_000;
    public const int MaximumTotal = 64 * 1024;

    private const uint CreateOnly = 1;
    private const uint ReplaceOnly = 2;

    public ReadOnlySpan<byte> Name(RecordRef attribute)
    {
        var length = (int)records.Get<AttributeRecord>(attribute).NameLength;
        return records.Bytes(attribute).Slice(Unsafe.SizeOf<AttributeRecord>(), length);
    }

    private ReadOnlySpan<byte> Value(RecordRef attribute)
    {
        ref var record = ref records.Get<AttributeRecord>(attribute);
        return records.Bytes(attribute).Slice(Unsafe.SizeOf<AttributeRecord>() + (int)record.NameLength, (int)record.ValueLength);
    }

    public RecordRef Find(RecordRef inode, ReadOnlySpan<byte> name)
    {
        var at = First(inode);
        while (!at.IsNone && !Name(at).SequenceEqual(name)) at = Next(at);
        return at;
    }

    /// <summary>ENODATA if there is none, ERANGE if it does not fit; no buffer asks for the length alone.</summary>
    public Errno Get(RecordRef inode, ReadOnlySpan<byte> name, Span<byte> value, out int length)
    {
        length = 0;
        var attribute = Find(inode, name);
        return attribute.IsNone ? Errno.ENODATA : Copy(Value(attribute), value, out length);
    }

    /// <summary>EEXIST and ENODATA as the flags ask, E2BIG for a value too long, ENOSPC beyond the file's 64 KiB or without room.</summary>
    public Errno Set(RecordRef inode, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, uint flags)
    {
        if ((flags & ~(CreateOnly | ReplaceOnly)) != 0) return Errno.EINVAL;
        if (value.Length > MaximumValue) return Errno.E2BIG;
        var old = Find(inode, name);
        if (old.IsNone && (flags & ReplaceOnly) != 0) return Errno.ENODATA;
        if (!old.IsNone && (flags & CreateOnly) != 0) return Errno.EEXIST;
        var total = name.Length + value.Length + Total(inode) - (old.IsNone ? 0 : Size(old));
        if (total > MaximumTotal) return Errno.ENOSPC;

        var payload = Unsafe.SizeOf<AttributeRecord>() + name.Length + value.Length;
        var status = records.Allocate(RecordKind.Attribute, payload, out var attribute);
        if (status != TmemStatus.Ok) return StatusErrno.Of(status);
        ref var record = ref records.Get<AttributeRecord>(attribute);
        record.Owner = inode.Value;
        record.NameLength = (uint)name.Length;
        record.ValueLength = (uint)value.Length;
        var bytes = records.Bytes(attribute)[Unsafe.SizeOf<AttributeRecord>()..];
        name.CopyTo(bytes);
        value.CopyTo(bytes[name.Length..]);
        journal.Begin();
        if (!old.IsNone) Retire(inode, old);
        journal.Publish(attribute);
        Push(inode, attribute);
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

    /// <summary>Appends the names, each with a NUL, as far as they fit; <paramref name="length"/> grows by what all of them need.</summary>
    public void List(RecordRef inode, Span<byte> names, ref int length)
    {
        for (var at = First(inode); !at.IsNone; at = Next(at)) AppendName(Name(at), names, ref length);
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

    public void FreeAll(RecordRef inode)
    {
        for (var at = First(inode); !at.IsNone;)
        {
            var next = Next(at);
            records.Free(at);
            at = next;
        }
        records.Get<InodeRecord>(inode).Attributes = 0;
    }

    public RecordRef First(RecordRef inode) => new(records.Get<InodeRecord>(inode).Attributes);

    public RecordRef Next(RecordRef attribute) => new(records.Get<AttributeRecord>(attribute).Next);

    public void Push(RecordRef inode, RecordRef attribute)
    {
        ref var head = ref records.Get<InodeRecord>(inode).Attributes;
        records.Get<AttributeRecord>(attribute).Next = head;
        Volatile.Write(ref head, attribute.Value);
    }

    private void Retire(RecordRef inode, RecordRef attribute)
    {
        ref var link = ref records.Get<InodeRecord>(inode).Attributes;
        while (link != attribute.Value) link = ref records.Get<AttributeRecord>(new RecordRef(link)).Next;
        Volatile.Write(ref link, Next(attribute).Value);
        journal.Retire(attribute);
    }

    private int Size(RecordRef attribute)
    {
        ref var record = ref records.Get<AttributeRecord>(attribute);
        return (int)(record.NameLength + record.ValueLength);
    }

    private int Total(RecordRef inode)
    {
        var total = 0;
        for (var at = First(inode); !at.IsNone; at = Next(at)) total += Size(at);
        return total;
    }
}
