using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// What a record was whose header is damaged. It is no record any more for anybody; but its contents have a sum of their own, by
/// which they may still say, for a report, what they were.
/// </summary>
internal sealed class Remnant(RecordStore records, Paths paths)
{
    /// <returns>A sentence, to be made when the names are known: by then the record may be gone.</returns>
    public Func<string> Describe(RecordRef record)
    {
        var was = What(record, records.Remains(record));
        return () => $"record {record.Value} is damaged in its header: {was()}";
    }

    private Func<string> What(RecordRef record, ReadOnlySpan<byte> bytes)
    {
        if (RecordSum.EntryHolds(record, bytes))
        {
            var entry = MemoryMarshal.Read<EntryRecord>(bytes);
            var name = Encoding.UTF8.GetString(bytes.Slice(Unsafe.SizeOf<EntryRecord>(), (int)entry.NameLength));
            var directory = new RecordRef(entry.Parent);
            return () => $"it was the name '{name}' in directory {paths.NameOf(directory)}, of inode {entry.Child}";
        }
        if (RecordSum.AttributeHolds(record, bytes))
        {
            var owner = new RecordRef(MemoryMarshal.Read<AttributeRecord>(bytes).Owner);
            return () => $"it was an extended attribute of {paths.NameOf(owner)}";
        }
        if (RecordSum.TargetHolds(record, bytes))
        {
            var owner = new RecordRef(MemoryMarshal.Read<TargetRecord>(bytes).Owner);
            return () => $"it was the target of symbolic link {paths.NameOf(owner)}";
        }
        return bytes.Length >= Unsafe.SizeOf<InodeRecord>() && MemoryMarshal.Read<InodeRecord>(bytes) is var inode
            && RecordSum.Holds(record, in inode)
            ? () => $"it was inode {record.Value}, in {paths.PoolText(new(inode.Pool))}"
            : () => "what it was cannot be told";
    }
}
