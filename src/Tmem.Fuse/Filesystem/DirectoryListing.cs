using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Listing directories. A cookie is an entry's key, which never changes: an entry that exists throughout is listed exactly once,
/// whatever is added or removed between two calls. The caller holds the namespace lock.
/// </summary>
internal sealed class DirectoryListing(
    RecordStore records, Journal journal, InodeTable inodes, DirectoryIndex index, Names names, Answers answers,
    KernelReferences kernel)
{
    private const int TypeShift = 12;

    /// <summary>
    /// Most entries of one reply: the caller's buffer may be a MiB, and the namespace lock is held while it is filled.
    /// </summary>
    private const int MostListed = 256;

    public Errno Read(in Caller caller, RecordRef directory, ulong cookie, ref DirectoryWriter writer)
    {
        if (cookie < DirectoryIndex.SelfCookie)
        {
            if (!AddDots(directory, DirectoryIndex.SelfCookie, "."u8, ref writer)) return Full(in writer);
            cookie = DirectoryIndex.SelfCookie;
        }
        if (cookie < DirectoryIndex.ParentCookie)
        {
            var parent = new RecordRef(inodes[directory].Parent);
            // The parent of a removed directory may be removed as well, or freed: then nobody needs the answer.
            if (parent.IsNone || !records.IsRecord(parent, RecordKind.Inode)) parent = inodes.Root;
            if (!AddDots(parent, DirectoryIndex.ParentCookie, ".."u8, ref writer)) return Full(in writer);
            cookie = DirectoryIndex.ParentCookie;
        }
        return writer.Plus ? AddKnownEntries(caller, directory, cookie, ref writer)
            : AddEntries(directory, cookie, ref writer);
    }

    private Errno AddEntries(RecordRef directory, ulong cookie, ref DirectoryWriter writer)
    {
        // A short reply is not the end of the directory.
        for (var listed = 0; listed < MostListed && TryNext(directory, cookie, in writer, out var entry, out var fits); listed++)
        {
            if (!fits) return Full(in writer);
            Add(entry, ref cookie, default, ref writer);
        }
        return Errno.Ok;
    }

    /// <summary>
    /// With the attributes of each entry, counting a lookup for it. The answer record has room for a bounded number of lookups; a
    /// listing that ends early is not the end of the directory.
    /// </summary>
    private Errno AddKnownEntries(in Caller caller, RecordRef directory, ulong cookie, ref DirectoryWriter writer)
    {
        var error = Errno.Ok;
        var answer = new Answer();
        ref var listed = ref answers.For(caller).Lookups;
        journal.Begin();
        while (answer.LookupCount < AnswerRecord.MaximumLookups
            && TryNext(directory, cookie, in writer, out var entry, out var fits))
        {
            if (!fits)
            {
                error = Full(in writer);
                break;
            }
            if (names.Follow(entry, out var inode) != Errno.Ok)
            {
                // Node id 0: the kernel looks the name up itself, and gets the error then.
                Add(entry, ref cookie, default, ref writer);
                continue;
            }
            kernel.HandOut(directory, inode, out var description);
            listed[(int)answer.LookupCount++] = inode.Value;
            Add(entry, ref cookie, in description, ref writer);
        }
        if (answer.LookupCount > 0) kernel.Conclude(caller, in answer);
        return error;
    }

    /// <summary>The first entry after a cookie. A forged cookie may be any number, the highest included.</summary>
    private bool TryNext(RecordRef directory, ulong cookie, in DirectoryWriter writer, out RecordRef entry, out bool fits)
    {
        entry = cookie == ulong.MaxValue ? RecordRef.None : index.Next(directory, cookie + 1);
        fits = !entry.IsNone && writer.Fits(index.Name(entry).Length);
        return !entry.IsNone;
    }

    private void Add(RecordRef entry, ref ulong cookie, in FuseEntryOut description, ref DirectoryWriter writer)
    {
        cookie = records.Get<EntryRecord>(entry).Key;
        // An entry whose inode is lost is listed with an unknown type, under the entry's own number.
        if (names.Follow(entry, out var inode) == Errno.Ok)
            writer.TryAdd(inodes.NodeOf(inode).Value, inodes[inode].Mode >> TypeShift, cookie, index.Name(entry),
                in description);
        else
            writer.TryAdd(entry.Value, 0, cookie, index.Name(entry), in description);
    }

    /// <summary>Node id 0 even for READDIRPLUS: the kernel knows both directories already, and no lookup is counted.</summary>
    private bool AddDots(RecordRef directory, ulong cookie, ReadOnlySpan<byte> name, ref DirectoryWriter writer) =>
        writer.TryAdd(inodes.NodeOf(directory).Value, InodeMode.Directory >> TypeShift, cookie, name, default);

    /// <summary>An empty reply means the end of the directory, so a buffer too small for one entry must be an error.</summary>
    private static Errno Full(in DirectoryWriter writer) => writer.Length == 0 ? Errno.EINVAL : Errno.Ok;
}
