using System.Text;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Maps a page of the engine to the path of its file, for reports. An inode remembers one of its names; only for a file that has
/// lost that one and has others are all entries searched, a piece at a time.
/// </summary>
internal sealed class Paths(BoundedHold hold, RecordStore records, InodeTable inodes, DirectoryIndex index, PoolTable pools)
{
    /// <summary>Longest path that is written out, in bytes: directories may be nested without bound.</summary>
    private const int LongestPath = 4096;

    /// <inheritdoc cref="IPoolDirectory.FileOf"/>
    public string FileOf(in PageHandle page)
    {
        var inode = new RecordRef(page.Object.Word0);
        var generation = page.Object.Word1;
        try
        {
            return FileOf(page, inode, generation);
        }
        catch (DamagedRecordException)
        {
            return $"inode {inode.Value} in {page.Pool}, whose names cannot be reached: they are damaged";
        }
    }

    private string FileOf(in PageHandle page, RecordRef inode, ulong generation)
    {
        for (var searched = false; ; searched = true)
        {
            using (hold.Enter())
            {
                if (!inodes.IsWhole(inode) || inodes[inode].Generation != generation)
                    return $"object {page.Object} in {PoolText(page.Pool)}, which is no file's";
                var path = Of(inode);
                if (path is not null || searched || inodes[inode].Links == 0)
                {
                    var number = $"inode {inode.Value}, in {PoolText(page.Pool)}";
                    return path is null ? $"a file without a name, {number}" : $"file {path}, {number}";
                }
            }
            FindEntry(inode);
        }
    }

    /// <summary>A pool by its name, if that is known.</summary>
    public string PoolText(PoolId id)
    {
        var name = pools.Find(id.Value) is { } pool ? Of(pool.Directory) : null;
        return name is null ? id.ToString() : $"pool '{name[1..]}'";
    }

    /// <summary>One of the paths of an inode, from the mount point on; null if none is known. Under the namespace lock.</summary>
    public string? Of(RecordRef inode)
    {
        var path = "";
        while (inode != inodes.Root)
        {
            if (path.Length > LongestPath) return "…" + path;
            var entry = new RecordRef(inodes[inode].Entry);
            if (entry.IsNone || !records.IsRecord(entry, RecordKind.Entry)) return null;
            path = "/" + Encoding.UTF8.GetString(index.Name(entry)) + path;
            inode = new RecordRef(records.Get<EntryRecord>(entry).Parent);
            if (!inodes.IsWhole(inode)) return null;
        }
        return path;
    }

    /// <summary>The path of an inode, or its number. As <see cref="Of"/>, of a reference that may be anything.</summary>
    public string NameOf(RecordRef inode)
    {
        try
        {
            if (records.IsRecord(inode, RecordKind.Inode) && Of(inode) is { } path) return path.Length == 0 ? "/" : path;
        }
        catch (DamagedRecordException)
        {
            // Its number has to do.
        }
        return $"inode {inode.Value}";
    }

    /// <summary>Looks for a name of an inode and has it remembered.</summary>
    private void FindEntry(RecordRef inode)
    {
        var from = 0UL;
        Func<RecordRef, ulong, int> look = (entry, _) =>
        {
            hold.Take();
            if (!records.IsRecord(entry, RecordKind.Entry) || records.Get<EntryRecord>(entry).Child != inode.Value) return 0;
            if (inodes.IsWhole(inode)) inodes[inode].Entry = entry.Value;
            return BoundedHold.Most;
        };
        for (var more = true; more;)
        {
            using (hold.Enter())
            {
                more = records.Continue(ref from, BoundedHold.Most, look);
                if (inodes.IsWhole(inode) && inodes[inode].Entry != 0) return;
            }
            if (more) BoundedHold.Pause();
        }
    }
}
