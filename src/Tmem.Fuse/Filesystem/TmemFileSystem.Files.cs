using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>Open files, their contents, and statfs.</summary>
internal sealed partial class TmemFileSystem
{
    private const uint OpenExclusive = 0x80;
    private const uint OpenTruncate = 0x200;
    private const uint WriteKillSetId = 4;
    // FUSE_WRITE_CACHE: from a page of the kernel's. As its write-back cache is not requested, that is a page of a mapping.
    private const uint WriteFromCache = 1;

    /// <summary>More than the kernel drops in a moment: some 250 pages.</summary>
    private const ulong MuchKept = 1 << 20;

    public Errno Create(
        in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint flags, uint mode, uint openFlags,
        out FuseEntryOut entry, out FuseOpenOut open)
    {
        entry = default;
        open = default;
        using var held = _lock.Enter();
        var error = _inodes.ResolveDirectory(parent, out var directory);
        if (error == Errno.Ok && directory == _inodes.Root) error = Errno.EPERM;
        if (error != Errno.Ok) return error;
        var found = _index.Find(directory, name);
        RecordRef file;
        if (found.IsNone)
        {
            var type = InodeMode.Regular | (mode & InodeMode.PermissionMask);
            error = _names.Make(caller, directory, name, type, 0, default, out file);
            if (error != Errno.Ok) return error;
        }
        else
        {
            // The name was made between the kernel's lookup and now: then this is an ordinary open.
            if ((flags & OpenExclusive) != 0) return Errno.EEXIST;
            error = _names.Follow(found, out file);
            if (error != Errno.Ok) return error;
            if (!_inodes[file].IsRegular) return _inodes[file].IsDirectory ? Errno.EISDIR : Errno.EEXIST;
            // Emptying it may take long: the kernel looks up once more, finds the file, and sends OPEN and SETATTR.
            if ((flags & OpenTruncate) != 0 && Volatile.Read(ref _inodes[file].Size) != 0) return Errno.ESTALE;
            _journal.Begin();
        }
        _kernel.Open(file, flags, out open);
        var answer = _kernel.HandOut(directory, file, out entry);
        answer.Handle = open.Fh;
        answer.OpenFlags = (ulong)open.OpenFlags;
        _kernel.Conclude(caller, in answer);
        return Errno.Ok;
    }

    public Errno Open(in Caller caller, NodeId node, uint flags, uint openFlags, out FuseOpenOut open)
    {
        open = default;
        // The kernel sends a SETATTR: see Negotiation.Wanted.
        return (flags & OpenTruncate) != 0 ? Errno.EINVAL : Open(caller, node, isDirectory: false, flags, out open);
    }

    private Errno Open(in Caller caller, NodeId node, bool isDirectory, uint flags, out FuseOpenOut open)
    {
        open = default;
        using var held = _lock.Enter();
        var error = isDirectory ? _inodes.ResolveDirectory(node, out var opened) : _inodes.ResolveFile(node, out opened);
        if (error != Errno.Ok) return error;
        _journal.Begin();
        _kernel.Open(opened, flags, out open);
        _kernel.Conclude(caller, new Answer { Handle = open.Fh, OpenFlags = (ulong)open.OpenFlags });
        return Errno.Ok;
    }

    public void Release(in Caller caller, NodeId node, ulong handle)
    {
        RecordRef died;
        using (_lock.Enter())
        {
            if (_inodes.Resolve(node, out var opened) != Errno.Ok) return;
            died = _kernel.Close(caller, opened, handle);
        }
        _dead.Reap(died);
    }

    /// <summary>None, except for a removed file of which the kernel may hold many pages.</summary>
    public Deferral Released(NodeId node)
    {
        if (_inodes.ResolveFile(node, out var file) != Errno.Ok) return default;
        ref readonly var inode = ref _inodes[file];
        var isMuch = inode.Links == 0 && Volatile.Read(in inode.Size) > MuchKept && PageCacheTrace.IsKept(in inode);
        return isMuch ? Deferral.Released(node) : default;
    }

    public ulong SizeOf(NodeId node) =>
        _inodes.ResolveFile(node, out var file) == Errno.Ok ? Volatile.Read(in _inodes[file].Size) : 0;

    public Errno Read(NodeId node, ulong handle, ulong offset, Span<byte> destination, uint readFlags, out int length)
    {
        length = 0;
        var error = _inodes.ResolveFile(node, out var file);
        if (error != Errno.Ok) return error;
        if (!PageCacheTrace.IsDirect(readFlags)) PageCacheTrace.Keep(ref _inodes[file]);
        return _data.Read(file, offset, destination, out length);
    }

    public Errno Write(
        in Caller caller, NodeId node, ulong handle, ulong offset, ReadOnlySpan<byte> data, uint writeFlags, out uint written,
        out Deferral deferral)
    {
        deferral = default;
        written = 0;
        var error = _inodes.ResolveFile(node, out var file);
        if (error != Errno.Ok) return error;
        _changes.DropPrivileges(caller, file, (writeFlags & WriteKillSetId) != 0);
        ref var inode = ref _inodes[file];
        var isFromMapping = (writeFlags & WriteFromCache) != 0;
        var isDirect = !isFromMapping && PageCacheTrace.IsDirect(writeFlags);
        if (!isDirect) PageCacheTrace.Keep(ref inode);
        error = _data.Write(file, offset, data, isFromMapping, out written);
        while (error is Errno.Ok or Errno.ENOSPC && written < (uint)data.Length && DropSome())
        {
            error = _data.Write(file, offset + written, data[(int)written..], isFromMapping, out var more);
            written += more;
        }
        if (written > 0) error = Errno.Ok;
        if (isDirect && error == Errno.Ok) deferral = PageCacheTrace.LetGo(ref inode, node, offset, written);
        return error;
    }

    /// <inheritdoc/>
    public Action? WorkLeft { set => _dead.WorkLeft = value; }

    /// <inheritdoc/>
    public Action? NamesLeft { set => _stale.NamesLeft = value; }

    /// <inheritdoc/>
    public bool TryTakeName(Span<byte> name, out NodeId directory, out int length) =>
        _stale.TryTake(name, out directory, out length);

    /// <inheritdoc/>
    public bool DropSome() => _removals.DropSome();

    /// <inheritdoc/>
    public bool DropSome(in Deferral deferral)
    {
        if (_inodes.ResolveFile(deferral.Node, out var file) != Errno.Ok) return false;
        return deferral.Kind == DeferralKind.Truncated
            ? _data.DropBeyondEnd(file)
            : _data.DropRange(file, deferral.Offset >> FilePages.PageShift, deferral.Length);
    }

    public Errno Flush(NodeId node, ulong handle) => _inodes.Resolve(node, out _);

    /// <summary>
    /// All data is in the region already; if the region has a file, the reply waits until that is durable, with all else in it.
    /// </summary>
    public Errno Sync(NodeId node, ulong handle, bool dataOnly, out Deferral deferral)
    {
        deferral = _engine.HasFile ? Deferral.Durable : default;
        return _inodes.Resolve(node, out _);
    }

    /// <summary>ENOSPC or EIO if the disk refuses: nothing is lost yet, and the next call tries again.</summary>
    public Errno MakeDurable() => StatusErrno.Of(_engine.Sync());

    public Errno Allocate(in Caller caller, NodeId node, ulong handle, ulong offset, ulong length, uint mode,
        out Deferral deferral)
    {
        deferral = default;
        var error = _inodes.ResolveFile(node, out var file);
        if (error != Errno.Ok) return error;
        // The kernel does not say whether the caller may keep the set-id bits: root may.
        if (FileData.Changes(mode)) _changes.DropPrivileges(caller, file, caller.Uid != 0);
        error = _data.Allocate(file, offset, length, mode, _dead.WorkLeft is not null, out var left);
        if (left.Pages > 0) deferral = Deferral.Punched(node, left.First << FilePages.PageShift, left.Pages);
        return error == Errno.EOPNOTSUPP && !FileData.Changes(mode) && !_room.CanEverFit(new PoolId(_inodes[file].Pool), length)
            ? Errno.ENOSPC : error;
    }

    public Errno Seek(NodeId node, ulong handle, ulong offset, uint whence, out ulong found)
    {
        found = 0;
        var error = _inodes.ResolveFile(node, out var file);
        return error != Errno.Ok ? error : _data.Seek(file, offset, whence, out found);
    }

    /// <summary>Figures of the store, or of the pool's limit where that is narrower.</summary>
    public Errno GetFileSystem(NodeId node, out FuseKstatfs figures)
    {
        figures = default;
        var error = _inodes.Resolve(node, out var inode);
        if (error == Errno.Ok) figures = _room.Figures(new PoolId(_inodes[inode].Pool), _inodes.Count);
        return error;
    }
}
