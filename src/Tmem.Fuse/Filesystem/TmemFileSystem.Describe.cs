using System.Text;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>From a page of the engine back to the file that a person knows. For reports: it looks through all entries.</summary>
internal sealed partial class TmemFileSystem
{
    /// <inheritdoc/>
    public string Describe(in Handle page)
    {
        lock (_names)
        {
            var place = $"page {page.Index} (bytes from {(ulong)page.Index << FilePages.PageShift} on) of ";
            var inode = new RecordRef(page.Object.Word0);
            if (!_records.IsRecord(inode, RecordKind.Inode) || _inodes[inode].Generation != page.Object.Word1)
                return place + $"object {page.Object} in {PoolText(page.Pool)}, which is no file's";
            var number = $"inode {inode.Value}, in {PoolText(page.Pool)}";
            var path = PathOf(inode);
            return place + (path is null ? $"a file without a name, {number}" : $"file {path}, {number}");
        }
    }

    private string PoolText(PoolId id)
    {
        var name = _pools.Find(id.Value) is { } pool ? PathOf(pool.Directory) : null;
        return name is null ? id.ToString() : $"pool '{name[1..]}'";
    }

    /// <summary>One of the paths of an inode, from the mount point on; null if it has none.</summary>
    private string? PathOf(RecordRef inode)
    {
        var path = "";
        for (var depth = 0; inode != _inodes.Root; depth++)
        {
            var entry = EntryOf(inode);
            // No path is deeper than there are inodes: damage could make a circle of directories.
            if (entry.IsNone || depth > _inodes.Count) return null;
            path = "/" + Encoding.UTF8.GetString(_index.Name(entry)) + path;
            inode = new RecordRef(_records.Get<EntryRecord>(entry).Parent);
        }
        return path;
    }

    private RecordRef EntryOf(RecordRef inode)
    {
        var found = RecordRef.None;
        _records.ForEach(RecordKind.Entry, entry =>
        {
            if (_records.Get<EntryRecord>(entry).Child == inode.Value) found = entry;
        });
        return found;
    }
}
