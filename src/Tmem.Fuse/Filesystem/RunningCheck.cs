using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// How far a check that runs beside the work has counted. The check visits the records in the order of their places: records
/// below its place have been counted, and a change there must be counted by the operation that makes it. So at every moment after
/// the walk over the entries the marks of the inodes are exactly the link counts that they should have. While no check runs
/// nothing is below its place. Under the namespace lock.
/// </summary>
internal sealed class RunningCheck(RecordStore records, InodeTable inodes)
{
    /// <summary>Entries below this place are counted in the marks.</summary>
    public ulong EntriesBelow { get; set; }

    /// <summary>Inodes below this place are counted in <see cref="Inodes"/>.</summary>
    public ulong InodesBelow { get; set; }

    public long Inodes { get; set; }

    /// <summary>Before a check and after it.</summary>
    public void Clear()
    {
        EntriesBelow = InodesBelow = 0;
        Inodes = 0;
    }

    public void Added(RecordRef entry, RecordRef child) => Count(entry, child, 1);

    public void Removed(RecordRef entry, RecordRef child) => Count(entry, child, -1);

    public void Added(RecordRef inode) => Inodes += inode.Value << 4 < InodesBelow ? 1 : 0;

    public void Removed(RecordRef inode) => Inodes -= inode.Value << 4 < InodesBelow ? 1 : 0;

    /// <summary>Counts an entry that the check itself has reached.</summary>
    public void Mark(RecordRef entry, RecordRef child, int change)
    {
        if (!inodes.IsWhole(child)) return;
        ref var inode = ref inodes[child];
        if (!inode.IsDirectory)
        {
            inode.Mark += (uint)change;
            return;
        }
        inode.Mark += (uint)(2 * change);
        var parent = new RecordRef(records.Get<EntryRecord>(entry).Parent);
        if (inodes.IsWhole(parent)) inodes[parent].Mark += (uint)change;
    }

    private void Count(RecordRef entry, RecordRef child, int change)
    {
        if (entry.Value << 4 < EntriesBelow) Mark(entry, child, change);
    }
}
