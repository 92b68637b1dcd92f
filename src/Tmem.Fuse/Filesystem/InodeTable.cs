using System.Diagnostics;
using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>Inodes: finding them by node id, making them, and describing them to the kernel.</summary>
internal sealed class InodeTable
{
    /// <summary>Most names a file may have.</summary>
    public const uint MaximumLinks = 65_000;

    // How long the kernel may cache attributes. A pool may come and go through the management API behind its back; below, every
    // change passes through the kernel. Pages of an ephemeral file vanish on their own, and with them its st_blocks.
    private const ulong LongSeconds = 60;
    private const ulong ShortSeconds = 1;

    /// <summary>Blocks of 512 bytes, as st_blocks counts them, in a page.</summary>
    private const ulong PageBlocks = FilePages.PageSize / 512;

    private readonly RecordStore _records;
    private readonly FileData _data;
    private readonly RecordRef _volume;
    private long _count;

    /// <param name="volume">The region's root record.</param>
    public InodeTable(RecordStore records, FileData data, RecordRef volume)
    {
        _records = records;
        _data = data;
        _volume = volume;
        Root = new RecordRef(Volume.RootInode);
    }

    /// <summary>The root directory.</summary>
    public RecordRef Root { get; }

    public ref RootRecord Volume => ref _records.GetKept<RootRecord>(_volume);

    /// <summary>Number of inodes.</summary>
    public long Count => Interlocked.Read(ref _count);

    public void Adopt(long count) => Interlocked.Exchange(ref _count, count);

    public ref InodeRecord this[RecordRef inode] => ref _records.Get<InodeRecord>(inode);

    /// <summary>
    /// The inode of a node id, which may be any number. ESTALE if it refers to no inode, or to one that is being freed.
    /// </summary>
    public Errno Resolve(NodeId node, out RecordRef inode)
    {
        inode = Root;
        if (node == NodeId.Root) return Errno.Ok;
        inode = new RecordRef(node.Value);
        // Only node id 1 names the root.
        if (inode == Root) return Errno.ESTALE;
        ref var record = ref _records.TryGet<InodeRecord>(inode);
        if (Unsafe.IsNullRef(ref record) || record.IsDead) return Errno.ESTALE;
        return RecordSum.Holds(inode, in record) ? Errno.Ok : Errno.EIO;
    }

    /// <summary>The inode of a node id that must be a living directory.</summary>
    public Errno ResolveDirectory(NodeId node, out RecordRef directory)
    {
        var error = Resolve(node, out directory);
        return error != Errno.Ok || this[directory].IsDirectory ? error : Errno.ENOTDIR;
    }

    /// <summary>The inode of a node id that must be a regular file: EISDIR for a directory, EINVAL for anything else.</summary>
    public Errno ResolveFile(NodeId node, out RecordRef file)
    {
        var error = Resolve(node, out file);
        if (error != Errno.Ok) return error;
        ref var inode = ref this[file];
        if (inode.IsRegular) return Errno.Ok;
        return inode.IsDirectory ? Errno.EISDIR : Errno.EINVAL;
    }

    /// <summary>Whether a reference, which may be any number, is that of an inode whose sum holds.</summary>
    public bool IsWhole(RecordRef inode)
    {
        ref var record = ref _records.TryGet<InodeRecord>(inode);
        return !Unsafe.IsNullRef(ref record) && RecordSum.Holds(inode, in record);
    }

    public NodeId NodeOf(RecordRef inode) => inode == Root ? NodeId.Root : new NodeId(inode.Value);

    /// <summary>
    /// Makes an inode, not committed, with the given attributes and all times now. The caller holds the namespace lock.
    /// </summary>
    public TmemStatus Prepare(uint mode, uint uid, uint gid, PoolId pool, InodeFlags flags, out RecordRef inode) =>
        Prepare(_records, mode, uid, gid, pool, flags, ++Volume.Counter, out inode);

    /// <param name="pool">The pool that it counts against; none for the root directory.</param>
    public static TmemStatus Prepare(
        RecordStore records, uint mode, uint uid, uint gid, PoolId pool, InodeFlags flags, ulong generation, out RecordRef inode)
    {
        var status = records.Allocate(RecordKind.Inode, Unsafe.SizeOf<InodeRecord>(), out inode, pool);
        if (status != TmemStatus.Ok) return status;
        ref var record = ref records.Get<InodeRecord>(inode);
        record.Generation = generation;
        record.Mode = mode;
        record.Uid = uid;
        record.Gid = gid;
        record.Pool = pool.Value;
        record.Flags = flags;
        record.AccessTime = record.ModifyTime = record.ChangeTime = FileClock.Now();
        return TmemStatus.Ok;
    }

    /// <summary>Makes a prepared inode exist, within an operation under way.</summary>
    public void Publish(RecordRef inode, Journal journal)
    {
        this[inode].Sum = RecordSum.Of(inode, in this[inode]);
        journal.Publish(inode);
        Interlocked.Increment(ref _count);
    }

    public void Free(RecordRef inode)
    {
        _records.Free(inode);
        var left = Interlocked.Decrement(ref _count);
        Debug.Assert(left >= 0, "no more inodes are freed than there were");
    }

    /// <summary>Counts a new name of an inode; of a directory, also updates the derived fields of its place.</summary>
    public void Named(RecordRef directory, RecordRef inode)
    {
        ref var record = ref this[inode];
        if (!record.IsDirectory)
        {
            record.Links++;
            return;
        }
        record.Links += 2;
        record.Parent = directory.Value;
        this[directory].Links++;
    }

    /// <summary>Counts a lost name of an inode. A directory has one name, and without it counts none below it.</summary>
    public void Unnamed(RecordRef directory, RecordRef inode)
    {
        ref var record = ref this[inode];
        if (!record.IsDirectory)
        {
            record.Links--;
            return;
        }
        record.Links = 0;
        ref var links = ref this[directory].Links;
        if (links > 0) links--;
    }

    /// <summary>Notes a change of the names in a directory.</summary>
    public void TouchNames(RecordRef directory)
    {
        ref var inode = ref this[directory];
        inode.ModifyTime = inode.ChangeTime = FileClock.Now();
    }

    /// <summary>Notes a change of an inode.</summary>
    public void TouchChange(RecordRef inode) => Volatile.Write(ref this[inode].ChangeTime, FileClock.Now());

    public void Describe(RecordRef inode, out FuseAttrOut attributes)
    {
        attributes = default;
        Fill(inode, ref attributes.Attr);
        attributes.AttrValid = AttributeSeconds(inode, in attributes.Attr);
    }

    /// <summary>The entry that the kernel gets for a name; the caller counts the lookup.</summary>
    public void Describe(RecordRef parent, RecordRef inode, out FuseEntryOut entry)
    {
        entry = new FuseEntryOut
        {
            NodeId = NodeOf(inode).Value,
            Generation = this[inode].Generation,
            EntryValid = parent == Root ? 0 : LongSeconds,
        };
        Fill(inode, ref entry.Attr);
        entry.AttrValid = AttributeSeconds(inode, in entry.Attr);
    }

    private ulong AttributeSeconds(RecordRef inode, in FuseAttr attributes)
    {
        ref var record = ref this[inode];
        if (record.IsRegular)
        {
            // A write drops these bits, and the kernel would still believe in them, also when it executes the file.
            if (InodeMode.HasPrivileges(attributes.Mode)) return 0;
            // See Blocks: a file without any must not be cached as one when it has been opened for writing meanwhile.
            if (attributes is { Blocks: <= PageBlocks, Size: > 0 } && _data.Pages(inode).Count() == 0) return 0;
        }
        return record.IsEphemeral || inode == Root || record.Parent == Root.Value ? ShortSeconds : LongSeconds;
    }

    private void Fill(RecordRef inode, ref FuseAttr attributes)
    {
        ref var record = ref this[inode];
        attributes.Ino = NodeOf(inode).Value;
        attributes.Size = Volatile.Read(ref record.Size);
        attributes.Blocks = record.IsRegular ? Blocks(inode) : 0;
        (attributes.Atime, attributes.AtimeNsec) = FileClock.ToWire(Volatile.Read(ref record.AccessTime));
        (attributes.Mtime, attributes.MtimeNsec) = FileClock.ToWire(Volatile.Read(ref record.ModifyTime));
        (attributes.Ctime, attributes.CtimeNsec) = FileClock.ToWire(Volatile.Read(ref record.ChangeTime));
        attributes.Mode = Volatile.Read(ref record.Mode);
        attributes.Nlink = record.Links;
        attributes.Uid = record.Uid;
        attributes.Gid = record.Gid;
        attributes.Rdev = record.Device;
        attributes.Blksize = FilePages.PageSize;
    }

    /// <summary>
    /// Pages stored, in blocks of 512 bytes. Copying tools (GNU tar) take a file with a length and without blocks for zeros, and
    /// do not read it; so a file that may have more than is stored reports at least a page.
    /// </summary>
    private ulong Blocks(RecordRef file)
    {
        ref var record = ref this[file];
        var pages = (ulong)_data.Pages(file).Count();
        if (pages == 0 && Volatile.Read(ref record.Size) != 0 && (record.IsEphemeral || record.MayBeNewerInKernel)) pages = 1;
        return pages * PageBlocks;
    }
}
