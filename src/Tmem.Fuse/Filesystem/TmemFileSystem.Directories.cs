using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Listing directories. A cookie is an entry's key, which never changes: an entry that is there all the while is listed exactly
/// once, whatever comes and goes between two calls.
/// </summary>
internal sealed partial class TmemFileSystem
{
    private const int TypeShift = 12;

    /// <summary>Entries of one reply: a caller may ask with a buffer of a MiB, and holds the namespace lock for it.</summary>
    private const int MostListed = 256;

    public Errno OpenDirectory(in Caller caller, NodeId node, uint flags, out FuseOpenOut open)
    {
        open = default;
        lock (_names)
        {
            var error = ResolveDirectory(node, out var directory);
            if (error != Errno.Ok) return error;
            open.Fh = directory.Value;
            ref var inode = ref _inodes[directory];
            _journal.Begin();
            _journal.Set(ref inode.Opens, inode.Opens + 1);
            Conclude(caller, new Answer { Handle = open.Fh });
            return Errno.Ok;
        }
    }

    public void ReleaseDirectory(in Caller caller, NodeId node, ulong handle)
    {
        RecordRef dead;
        lock (_names)
        {
            if (ResolveDirectory(node, out var directory) != Errno.Ok) return;
            ref var inode = ref _inodes[directory];
            _journal.Begin();
            _journal.Set(ref inode.Opens, inode.Opens - Math.Min(inode.Opens, 1));
            Conclude(caller);
            dead = Dies(directory) ? directory : RecordRef.None;
        }
        Reap(dead);
    }

    public Errno ReadDirectory(in Caller caller, NodeId node, ulong handle, ulong cookie, ref DirectoryWriter writer)
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
            return writer.Plus ? AddKnownEntries(caller, directory, cookie, ref writer)
                : AddEntries(directory, cookie, ref writer);
        }
    }

    private Errno AddEntries(RecordRef directory, ulong cookie, ref DirectoryWriter writer)
    {
        // An answer that ends early is no end of the directory.
        for (var listed = 0; listed < MostListed && TryNext(directory, cookie, in writer, out var entry, out var fits); listed++)
        {
            if (!fits) return Full(in writer);
            Add(entry, ref cookie, default, ref writer);
        }
        return Errno.Ok;
    }

    /// <summary>
    /// With the attributes of each entry, and a lookup counted for it. The answer has room for so many; a listing that ends early
    /// is no end of the directory.
    /// </summary>
    private Errno AddKnownEntries(in Caller caller, RecordRef directory, ulong cookie, ref DirectoryWriter writer)
    {
        var error = Errno.Ok;
        var answer = new Answer();
        ref var listed = ref _answers.For(caller).Lookups;
        _journal.Begin();
        while (answer.LookupCount < AnswerRecord.MaximumLookups
            && TryNext(directory, cookie, in writer, out var entry, out var fits))
        {
            if (!fits)
            {
                error = Full(in writer);
                break;
            }
            if (Follow(entry, out var inode) != Errno.Ok)
            {
                // Node id 0: the kernel looks such a name up itself, and is told.
                Add(entry, ref cookie, default, ref writer);
                continue;
            }
            HandOut(directory, inode, out var description);
            listed[(int)answer.LookupCount++] = inode.Value;
            Add(entry, ref cookie, in description, ref writer);
        }
        if (answer.LookupCount > 0) Conclude(caller, in answer);
        return error;
    }

    /// <summary>The first entry behind a cookie. A cookie from anywhere else may be the highest number there is.</summary>
    private bool TryNext(RecordRef directory, ulong cookie, in DirectoryWriter writer, out RecordRef entry, out bool fits)
    {
        entry = cookie == ulong.MaxValue ? RecordRef.None : _index.Next(directory, cookie + 1);
        fits = !entry.IsNone && writer.Fits(_index.Name(entry).Length);
        return !entry.IsNone;
    }

    private void Add(RecordRef entry, ref ulong cookie, in FuseEntryOut description, ref DirectoryWriter writer)
    {
        cookie = _records.Get<EntryRecord>(entry).Key;
        // One that is lost is listed as of unknown kind, under its entry's number.
        if (Follow(entry, out var inode) == Errno.Ok)
            writer.TryAdd(_inodes.NodeOf(inode).Value, _inodes[inode].Mode >> TypeShift, cookie, _index.Name(entry),
                in description);
        else
            writer.TryAdd(entry.Value, 0, cookie, _index.Name(entry), in description);
    }

    /// <summary>With node id 0 even for READDIRPLUS: the kernel knows both already, and no lookup is counted.</summary>
    private bool AddDots(RecordRef directory, ulong cookie, ReadOnlySpan<byte> name, ref DirectoryWriter writer) =>
        writer.TryAdd(_inodes.NodeOf(directory).Value, InodeMode.Directory >> TypeShift, cookie, name, default);

    /// <summary>An empty reply means the end of the directory, so a buffer too small for one entry must be an error.</summary>
    private static Errno Full(in DirectoryWriter writer) => writer.Length == 0 ? Errno.EINVAL : Errno.Ok;
}
