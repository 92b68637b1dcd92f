using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Listing directories. A cookie is an entry's key, which never changes: an entry that is there all the while is listed exactly once,
/// whatever comes and goes between two calls.
/// </summary>
internal sealed partial class TmemFileSystem
{
    private const int TypeShift = 12;

    public Errno OpenDirectory(in Caller caller, NodeId node, uint flags, out FuseOpenOut open)
    {
        open = default;
        lock (_names)
        {
            var error = ResolveDirectory(node, out var directory);
            if (error != Errno.Ok) return error;
            _inodes[directory].Opens++;
            open.Fh = directory.Value;
            return Errno.Ok;
        }
    }

    public void ReleaseDirectory(NodeId node, ulong handle)
    {
        RecordRef dead;
        lock (_names)
        {
            if (ResolveDirectory(node, out var directory) != Errno.Ok || _inodes[directory].Opens == 0) return;
            _inodes[directory].Opens--;
            dead = Dies(directory) ? directory : RecordRef.None;
        }
        Reap(dead);
    }

    public Errno ReadDirectory(NodeId node, ulong handle, ulong cookie, ref DirectoryWriter writer)
    {
        lock (_names)
        {
            var error = ResolveDirectory(node, out var directory);
            if (error != Errno.Ok) return error;
            if (cookie < DirectoryIndex.SelfCookie)
            {
                if (!AddDots(directory, DirectoryIndex.SelfCookie, "."u8, ref writer)) return Full(in writer);
                cookie = DirectoryIndex.SelfCookie;
            }
            if (cookie < DirectoryIndex.ParentCookie)
            {
                var parent = new RecordRef(_inodes[directory].Parent);
                // A removed directory's parent may be removed as well, or freed: then the answer matters to nobody.
                if (parent.IsNone || !_records.IsRecord(parent, RecordKind.Inode)) parent = _inodes.Root;
                if (!AddDots(parent, DirectoryIndex.ParentCookie, ".."u8, ref writer)) return Full(in writer);
                cookie = DirectoryIndex.ParentCookie;
            }
            return AddEntries(directory, cookie, ref writer);
        }
    }

    private Errno AddEntries(RecordRef directory, ulong cookie, ref DirectoryWriter writer)
    {
        // A cookie from anywhere else may be the highest number there is.
        while (cookie != ulong.MaxValue)
        {
            var entry = _index.Next(directory, cookie + 1);
            if (entry.IsNone) break;
            var name = _index.Name(entry);
            if (!writer.Fits(name.Length)) return Full(in writer);
            var inode = Child(entry);
            FuseEntryOut description = default;
            if (writer.Plus) HandOut(directory, inode, out description);
            cookie = _records.Get<EntryRecord>(entry).Key;
            writer.TryAdd(_inodes.NodeOf(inode).Value, _inodes[inode].Mode >> TypeShift, cookie, name, in description);
        }
        return Errno.Ok;
    }

    /// <summary>With node id 0 even for READDIRPLUS: the kernel knows both already, and no lookup is counted.</summary>
    private bool AddDots(RecordRef directory, ulong cookie, ReadOnlySpan<byte> name, ref DirectoryWriter writer) =>
        writer.TryAdd(_inodes.NodeOf(directory).Value, InodeMode.Directory >> TypeShift, cookie, name, default);

    /// <summary>An empty reply means the end of the directory, so a buffer too small for one entry must be an error.</summary>
    private static Errno Full(in DirectoryWriter writer) => writer.Length == 0 ? Errno.EINVAL : Errno.Ok;
}
