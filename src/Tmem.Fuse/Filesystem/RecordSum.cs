using System.IO.Hashing;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Checksums over the lasting part of a record, seeded by the record's place and lengths: a record that fails its sum is damaged,
/// and nothing in it is trusted. 10 ns for an entry, 3 for an inode. Not a secret: it detects accidents; a process that can write
/// the region's memory can write its pages as well.
/// </summary>
internal static class RecordSum
{
    // Start of the summed part of a record; it ends with the record's bytes (of the root record: its end).
    private static readonly int s_entryStart = Start((ref EntryRecord record) => ref record.Key);
    private static readonly int s_attributeStart = Start((ref AttributeRecord record) => ref record.Key);
    private static readonly int s_targetStart = Start((ref TargetRecord record) => ref record.Owner);
    private static readonly int s_rootEnd = Start((ref RootRecord record) => ref record.Sum);

    private delegate ref ulong Field<T>(ref T record);

    /// <summary>Of a root record's references.</summary>
    public static ulong Of(in RootRecord root) => XxHash3.HashToUInt64(
        MemoryMarshal.AsBytes(new ReadOnlySpan<RootRecord>(in root))[..s_rootEnd]);

    /// <summary>Of an inode's identity: 32 bits, never 0.</summary>
    public static uint Of(RecordRef record, in InodeRecord inode)
    {
        var kind = (ulong)(inode.Mode & InodeMode.TypeMask) << 32 | (uint)(inode.Flags & InodeFlags.Lasting);
        var high = Math.BigMul(record.Value ^ 0x9E3779B97F4A7C15UL, inode.Generation ^ 0xD1B54A32D192ED03UL, out var low);
        var sum = high ^ low;
        high = Math.BigMul(sum ^ inode.Target, kind ^ 0x8CB92BA72F3D8DD7UL, out low);
        sum = BitOperations.RotateLeft(sum, 23) ^ high ^ low;
        high = Math.BigMul(sum ^ 0xAEF17502108EF2D9UL, ((ulong)inode.Pool << 32 | inode.Device) ^ 0xF1357AEA2E62A9C5UL, out low);
        return (uint)((high ^ low ^ sum) >> 32) | 1;
    }

    public static bool Holds(RecordRef record, in InodeRecord inode) => Of(record, in inode) == inode.Sum;

    /// <summary>The word of an entry that holds sum and length, for an entry with this child.</summary>
    public static ulong OfEntry(RecordStore records, RecordRef entry, ulong child)
    {
        _ = records.Get<EntryRecord>(entry);
        return OfEntry(entry, records.Bytes(entry), child);
    }

    private static ulong OfEntry(RecordRef entry, ReadOnlySpan<byte> bytes, ulong child)
    {
        var length = (int)MemoryMarshal.AsRef<EntryRecord>(bytes).NameLength;
        if ((uint)length > (uint)(bytes.Length - Unsafe.SizeOf<EntryRecord>())) return 0;
        Span<byte> copy = stackalloc byte[Unsafe.SizeOf<EntryRecord>() - s_entryStart];
        bytes[s_entryStart..Unsafe.SizeOf<EntryRecord>()].CopyTo(copy);
        MemoryMarshal.Write(copy[^sizeof(ulong)..], child);
        var sum = XxHash3.HashToUInt64(bytes.Slice(Unsafe.SizeOf<EntryRecord>(), length), Seed(entry, length));
        return XxHash3.HashToUInt64(copy, (long)sum) << 32 | (uint)length;
    }

    public static bool EntryHolds(RecordStore records, RecordRef entry) =>
        records.Get<EntryRecord>(entry) is var record && record.SumAndLength != 0
            && OfEntry(records, entry, record.Child) == record.SumAndLength;

    /// <summary>As the other, of bytes that may be anything.</summary>
    public static bool EntryHolds(RecordRef entry, ReadOnlySpan<byte> bytes) =>
        bytes.Length >= Unsafe.SizeOf<EntryRecord>() && MemoryMarshal.AsRef<EntryRecord>(bytes) is { SumAndLength: not 0 } record
            && OfEntry(entry, bytes, record.Child) == record.SumAndLength;

    /// <summary>Of an attribute whose lengths are set; 0 if they do not fit.</summary>
    public static uint OfAttribute(RecordStore records, RecordRef attribute)
    {
        _ = records.Get<AttributeRecord>(attribute);
        return OfAttribute(attribute, records.Bytes(attribute));
    }

    private static uint OfAttribute(RecordRef attribute, ReadOnlySpan<byte> bytes)
    {
        ref readonly var record = ref MemoryMarshal.AsRef<AttributeRecord>(bytes);
        var length = record.NameLength + record.ValueLength;
        return Sum(bytes, Unsafe.SizeOf<AttributeRecord>(), s_attributeStart, length,
            Seed(attribute, record.NameLength << 16 ^ record.ValueLength));
    }

    public static bool AttributeHolds(RecordStore records, RecordRef attribute) =>
        records.Get<AttributeRecord>(attribute).Sum is not 0 and var sum && OfAttribute(records, attribute) == sum;

    /// <summary>As the other, of bytes that may be anything.</summary>
    public static bool AttributeHolds(RecordRef attribute, ReadOnlySpan<byte> bytes) =>
        bytes.Length >= Unsafe.SizeOf<AttributeRecord>() && MemoryMarshal.AsRef<AttributeRecord>(bytes).Sum is not 0 and var sum
            && OfAttribute(attribute, bytes) == sum;

    /// <summary>Of a link target whose length is set; 0 if it does not fit.</summary>
    public static uint OfTarget(RecordStore records, RecordRef target)
    {
        _ = records.Get<TargetRecord>(target);
        return OfTarget(target, records.Bytes(target));
    }

    private static uint OfTarget(RecordRef target, ReadOnlySpan<byte> bytes)
    {
        var length = MemoryMarshal.AsRef<TargetRecord>(bytes).Length;
        return Sum(bytes, Unsafe.SizeOf<TargetRecord>(), s_targetStart, (int)length, Seed(target, (int)length));
    }

    public static bool TargetHolds(RecordStore records, RecordRef target) =>
        records.Get<TargetRecord>(target).Sum is not 0 and var sum && OfTarget(records, target) == sum;

    /// <summary>As the other, of bytes that may be anything.</summary>
    public static bool TargetHolds(RecordRef target, ReadOnlySpan<byte> bytes) =>
        bytes.Length >= Unsafe.SizeOf<TargetRecord>() && MemoryMarshal.AsRef<TargetRecord>(bytes).Sum is not 0 and var sum
            && OfTarget(target, bytes) == sum;

    private static uint Sum(ReadOnlySpan<byte> bytes, int header, int start, int length, long seed) =>
        (uint)length > (uint)(bytes.Length - header) ? 0 : (uint)XxHash3.HashToUInt64(bytes[start..(header + length)], seed) | 1;

    private static long Seed(RecordRef record, int lengths) => (long)(record.Value << 20 ^ (uint)lengths);

    private static int Start<T>(Field<T> field) where T : unmanaged
    {
        var record = default(T);
        return (int)Unsafe.ByteOffset(ref Unsafe.As<T, byte>(ref record), ref Unsafe.As<ulong, byte>(ref field(ref record)));
    }
}
