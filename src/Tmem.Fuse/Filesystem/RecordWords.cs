using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Describes damaged records for reports, by their bytes. A sentence is made when the names are known (<see cref="Damage"/>); by
/// then the record may be gone, so what its bytes say is read at once.
/// </summary>
internal sealed class RecordWords(RecordStore records, Paths paths)
{
    /// <summary>
    /// A record whose header is damaged. It counts as no record any more, but its contents have a sum of their own, which may
    /// still prove what they were.
    /// </summary>
    public Func<string> OfDamagedHeader(RecordRef record)
    {
        var bytes = records.Remains(record);
        if (KindBySum(record, bytes) is not { } kind)
            return () => $"record {record.Value} is damaged in its header: what it was cannot be told";
        var pool = kind == RecordKind.Inode ? new PoolId(MemoryMarshal.Read<InodeRecord>(bytes).Pool) : default;
        var what = What(record, kind, bytes, pool, isWhole: true);
        return () => $"record {record.Value} is damaged in its header: it was {what()}";
    }

    /// <summary>A record whose header is whole and whose contents fail their sum: only kind and pool are certain.</summary>
    public Func<string> OfDamagedContents(RecordRef record, byte kind)
    {
        var what = What(record, kind, records.Bytes(record), records.PoolOf(record), isWhole: false);
        return () => $"{what()} is damaged (record {record.Value})";
    }

    private static byte? KindBySum(RecordRef record, ReadOnlySpan<byte> bytes)
    {
        if (RecordSum.EntryHolds(record, bytes)) return RecordKind.Entry;
        if (RecordSum.AttributeHolds(record, bytes)) return RecordKind.Attribute;
        if (RecordSum.TargetHolds(record, bytes)) return RecordKind.Target;
        return bytes.Length >= Unsafe.SizeOf<InodeRecord>() && MemoryMarshal.Read<InodeRecord>(bytes) is var inode
            && RecordSum.Holds(record, in inode) ? RecordKind.Inode : null;
    }

    private Func<string> What(RecordRef record, byte kind, ReadOnlySpan<byte> bytes, PoolId pool, bool isWhole)
    {
        switch (kind)
        {
            case RecordKind.Entry:
                var entry = MemoryMarshal.Read<EntryRecord>(bytes);
                var directory = new RecordRef(entry.Parent);
                if (!isWhole) return () => $"a name in directory {paths.NameOf(directory)}";
                var name = Encoding.UTF8.GetString(bytes.Slice(Unsafe.SizeOf<EntryRecord>(), (int)entry.NameLength));
                return () => $"the name '{name}' in directory {paths.NameOf(directory)}, of inode {entry.Child}";
            case RecordKind.Attribute:
                var bearer = new RecordRef(MemoryMarshal.Read<AttributeRecord>(bytes).Owner);
                return () => $"an extended attribute of {paths.NameOf(bearer)}";
            case RecordKind.Target:
                var link = new RecordRef(MemoryMarshal.Read<TargetRecord>(bytes).Owner);
                return () => $"the target of symbolic link {paths.NameOf(link)}";
            default:
                return () => $"inode {record.Value} in {paths.PoolText(pool)}";
        }
    }
}
