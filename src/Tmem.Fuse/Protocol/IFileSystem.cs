using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Protocol;

/// <summary>A FUSE node id. 1 is the root.</summary>
internal readonly record struct NodeId(ulong Value)
{
    public static readonly NodeId Root = new(1);
}

/// <summary>The origin of a request.</summary>
/// <param name="Unique">The request's number on its connection, without the mark of a resent one; 0: not a request of the
/// kernel.</param>
/// <param name="Thread">The session thread that serves it, from 0: no two requests have the same one at a time.</param>
internal readonly record struct Caller(uint Uid, uint Gid, uint Pid, ulong Unique = 0, int Thread = 0);

/// <summary>The reply that a request carried out before should have got: an entry, an open file, both, or neither.</summary>
internal struct Recollection
{
    public bool HasEntry;
    public bool HasOpen;
    public FuseEntryOut Entry;
    public FuseOpenOut Open;
}

/// <summary>
/// The operations of a file system, already decoded: the border between Protocol (bytes) and Filesystem (meaning). Names are raw
/// bytes without the NUL, 1 to 255 bytes long, never containing '/' or NUL, never "." or ".."; the dispatcher refuses everything
/// else. (Names of extended attributes may contain '/'.) Offsets and lengths end at or below 2^63 - 1; rename flags, fallocate
/// modes and whence are valid. Modes of creations have the umask applied by the kernel. Methods may be called from several
/// threads at once. None throws for any input. Each entry handed out by Lookup, the creations and ReadDirectoryPlus counts as one
/// lookup of its node, until Forget. A request may come a second time, to this process or to its successor, when the first one
/// died before it had answered. What must not happen twice (names, lookups, handles, extended attributes) is remembered by the
/// request's number; everything else may simply be carried out again.
/// </summary>
internal interface IFileSystem
{
    /// <summary>
    /// Whether a resent request has been carried out before, and its answer. If not, it must be carried out now.
    /// </summary>
    bool Recall(in Caller caller, out Recollection answer);

    Errno Lookup(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, out FuseEntryOut entry);
    /// <summary>Forgets one node of a message; the nodes of one message come in order.</summary>
    void Forget(in Caller caller, NodeId node, ulong lookups);
    /// <summary>How many nodes of the message have been forgotten before.</summary>
    uint Forgotten(in Caller caller);

    Errno GetAttributes(NodeId node, out FuseAttrOut attributes);
    /// <summary>Applies the fields that <c>change.Valid</c> (FATTR_*) names: mode, owner, size (truncate), times.</summary>
    Errno SetAttributes(in Caller caller, NodeId node, in FuseSetattrIn change, out FuseAttrOut attributes,
        out Deferral deferral);
    Errno Access(in Caller caller, NodeId node, uint mask);

    Errno MakeDirectory(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint mode, out FuseEntryOut entry);
    Errno MakeNode(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint mode, uint device, out FuseEntryOut entry);
    Errno SymbolicLink(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target,
        out FuseEntryOut entry);
    /// <summary>Copies the target (at most 4095 bytes, no NUL) into <paramref name="target"/>.</summary>
    Errno ReadLink(NodeId node, Span<byte> target, out int length);
    Errno Link(in Caller caller, NodeId node, NodeId newParent, ReadOnlySpan<byte> newName, out FuseEntryOut entry);
    Errno Unlink(in Caller caller, NodeId parent, ReadOnlySpan<byte> name);
    Errno RemoveDirectory(in Caller caller, NodeId parent, ReadOnlySpan<byte> name);
    /// <summary><paramref name="flags"/>: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2.</summary>
    Errno Rename(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName,
        uint flags);

    Errno Create(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint flags, uint mode, uint openFlags,
        out FuseEntryOut entry, out FuseOpenOut open);
    /// <summary><paramref name="flags"/>: O_* of open(2); <paramref name="openFlags"/>: FUSE_OPEN_KILL_SUIDGID.</summary>
    Errno Open(in Caller caller, NodeId node, uint flags, uint openFlags, out FuseOpenOut open);
    void Release(in Caller caller, NodeId node, ulong handle);
    /// <summary>What the reply to a RELEASE waits for, once it is carried out.</summary>
    Deferral Released(NodeId node);
    /// <summary>
    /// Reads into <paramref name="destination"/>; fewer bytes only at the end of the file. <paramref name="readFlags"/>:
    /// FUSE_READ_*.
    /// </summary>
    Errno Read(NodeId node, ulong handle, ulong offset, Span<byte> destination, uint readFlags, out int length);
    /// <summary>
    /// <paramref name="writeFlags"/>: FUSE_WRITE_*. Writes all of <paramref name="data"/>, or as much as found room (then
    /// <paramref name="written"/> is less), or an error if nothing did.
    /// </summary>
    Errno Write(in Caller caller, NodeId node, ulong handle, ulong offset, ReadOnlySpan<byte> data, uint writeFlags,
        out uint written,
        out Deferral deferral);
    Errno Flush(NodeId node, ulong handle);
    /// <summary>
    /// fsync of a file or, with a handle of <see cref="OpenDirectory"/>, of a directory. Does not wait: the deferral says what to
    /// wait for.
    /// </summary>
    Errno Sync(NodeId node, ulong handle, bool dataOnly, out Deferral deferral);
    /// <summary>
    /// Makes everything written before durable, then returns. May take as long as a device does; not called by a session thread.
    /// </summary>
    Errno MakeDurable();

    /// <summary>
    /// Called when something is left for <see cref="DropSome()"/>. With a callback, no truncation, hole or removal takes long:
    /// long work is left to it, or to a deferral. Null, as in the beginning: everything is done at once.
    /// </summary>
    Action? WorkLeft { set; }
    /// <summary>
    /// Called when a name is left for <see cref="TryTakeName"/>. Null, as in the beginning: nobody takes any.
    /// </summary>
    Action? NamesLeft { set; }
    /// <summary>
    /// Takes a name that is gone and that the kernel may still remember, and its directory. False if there is none. To be called
    /// again when the kernel has been told.
    /// </summary>
    bool TryTakeName(Span<byte> name, out NodeId directory, out int length);
    /// <summary>
    /// Drops some pages that are no longer in use, in less than a millisecond; this may free room. False if there is nothing to
    /// drop.
    /// </summary>
    bool DropSome();
    /// <summary>Drops some of the pages that a reply waits for. False if none is left.</summary>
    bool DropSome(in Deferral deferral);
    /// <summary>Bytes of a file; 0 if the node is none.</summary>
    ulong SizeOf(NodeId node);
    /// <summary>
    /// Called when the wait is over: returns the attributes for a deferral that <see cref="Deferral.HasAttributes"/>.
    /// </summary>
    Errno Conclude(in Deferral deferral, out FuseAttrOut attributes);
    /// <summary>
    /// <paramref name="mode"/>: FALLOC_FL_KEEP_SIZE 1, PUNCH_HOLE 2, ZERO_RANGE 0x10. The callee drops the file's privileges.
    /// </summary>
    Errno Allocate(in Caller caller, NodeId node, ulong handle, ulong offset, ulong length, uint mode, out Deferral deferral);
    /// <summary><paramref name="whence"/>: SEEK_DATA 3, SEEK_HOLE 4.</summary>
    Errno Seek(NodeId node, ulong handle, ulong offset, uint whence, out ulong found);

    Errno OpenDirectory(in Caller caller, NodeId node, uint flags, out FuseOpenOut open);
    void ReleaseDirectory(in Caller caller, NodeId node, ulong handle);
    /// <summary>
    /// Adds entries whose cookie comes after <paramref name="cookie"/> (0 is the start) until <paramref name="writer"/> is full
    /// or holds enough. Names "." and ".." come first.
    /// </summary>
    Errno ReadDirectory(in Caller caller, NodeId node, ulong handle, ulong cookie, ref DirectoryWriter writer);

    Errno GetFileSystem(NodeId node, out FuseKstatfs figures);

    /// <summary>
    /// An empty <paramref name="value"/> asks for the length alone; ERANGE if the value is longer than the buffer; ENODATA if
    /// there is none.
    /// </summary>
    Errno GetExtendedAttribute(NodeId node, ReadOnlySpan<byte> name, Span<byte> value, out int length);
    /// <summary><paramref name="flags"/>: XATTR_CREATE 1, XATTR_REPLACE 2.</summary>
    Errno SetExtendedAttribute(in Caller caller, NodeId node, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, uint flags);
    /// <summary>NUL-terminated names one after the other; an empty <paramref name="names"/> asks for the length alone.</summary>
    Errno ListExtendedAttributes(in Caller caller, NodeId node, Span<byte> names, out int length);
    Errno RemoveExtendedAttribute(in Caller caller, NodeId node, ReadOnlySpan<byte> name);
}
