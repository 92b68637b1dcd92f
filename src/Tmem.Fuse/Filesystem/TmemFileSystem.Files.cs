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
    // Not the same on every architecture: 0x4000 on x64, 0x10000 on arm64.
    private static readonly uint s_openDirect = (uint)Tmds.Linux.LibC.O_DIRECT;
    private const uint WriteKillSetId = 4;
    // FUSE_WRITE_CACHE: from a page of the kernel's. Without its write-back cache, which is not asked for, that is one of a
    // mapping.
    private const uint WriteFromCache = 1;

    /// <summary>O_ACCMODE, and O_RDWR: a mapping that can be written to needs a handle that reads and writes.</summary>
    private const uint OpenAccess = 3;
    private const uint OpenBoth = 2;

    /// <summary>The bit of a handle that says that it can be mapped for writing; the rest is the inode.</summary>
    private const ulong HandleMaps = 1UL << 63;

    /// <summary>More than the kernel drops in a moment: some 250 pages.</summary>
    private const ulong MuchKept = 1 << 20;

    /// <summary>Bytes of metadata a small file takes, roughly: how many more files statfs promises.</summary>
    private const ulong BytesPerFile = 512;

    public Errno Create(
        in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint flags, uint mode, uint openFlags,
        out FuseEntryOut entry, out FuseOpenOut open)
    {
        entry = default;
        open = default;
        lock (_names)
        {
            var error = ResolveDirectory(parent, out var directory);
            if (error == Errno.Ok && directory == _inodes.Root) error = Errno.EPERM;
            if (error != Errno.Ok) return error;
            var found = _index.Find(directory, name);
            RecordRef file;
            if (found.IsNone)
            {
                var type = InodeMode.Regular | (mode & InodeMode.PermissionMask);
                error = MakeInode(caller, directory, name, type, 0, default, 0, default, out file);
                if (error != Errno.Ok) return error;
            }
            else
            {
                // The name came to be between the kernel's lookup and now: then this is an ordinary open.
                if ((flags & OpenExclusive) != 0) return Errno.EEXIST;
                error = Follow(found, out file);
                if (error != Errno.Ok) return error;
                if (!_inodes[file].IsRegular) return _inodes[file].IsDirectory ? Errno.EISDIR : Errno.EEXIST;
                // To empty it may take long: the kernel looks up once more, finds the file, and sends OPEN and SETATTR.
                if ((flags & OpenTruncate) != 0 && Volatile.Read(ref _inodes[file].Size) != 0) return Errno.ESTALE;
                _journal.Begin();
            }
            CountOpen(file, flags, out open);
            var answer = HandOut(directory, file, out entry);
            answer.Handle = open.Fh;
            answer.OpenFlags = (ulong)open.OpenFlags;
            Conclude(caller, in answer);
            return Errno.Ok;
        }
    }

    public Errno Open(in Caller caller, NodeId node, uint flags, uint openFlags, out FuseOpenOut open)
    {
        open = default;
        // The kernel sends a SETATTR: see Negotiation.Wanted.
        if ((flags & OpenTruncate) != 0) return Errno.EINVAL;
        lock (_names)
        {
            var error = ResolveFile(node, out var file);
            if (error != Errno.Ok) return error;
            _journal.Begin();
            CountOpen(file, flags, out open);
            Conclude(caller, new Answer { Handle = open.Fh, OpenFlags = (ulong)open.OpenFlags });
            return Errno.Ok;
        }
    }

    /// <summary>For tests: see <see cref="FileData.BeforeStep"/>.</summary>
    internal Action? BeforeStep { set => _data.BeforeStep = value; }

    /// <summary>
    /// A persistent file keeps its cached pages, for nobody else writes it; an ephemeral one must ask every time, for a page can
    /// go. With O_DIRECT (a loop device under swap) writes need no order of the kernel's: they have ours. Within an operation
    /// that is under way.
    /// </summary>
    private void CountOpen(RecordRef file, uint flags, out FuseOpenOut open)
    {
        ref var inode = ref _inodes[file];
        var maps = (flags & OpenAccess) == OpenBoth;
        _journal.Set(ref inode.Opens, inode.Opens + InodeRecord.Handle(maps));
        if (_pools.Find(inode.Pool) is { } pool) pool.OpenFiles++;
        var direct = inode.IsEphemeral || (flags & s_openDirect) != 0;
        open = new FuseOpenOut
        {
            // Handles say nothing that is not in the region: they mean the same to whoever serves the mount next.
            Fh = file.Value | (maps ? HandleMaps : 0),
            OpenFlags = direct ? FuseOpenFlags.DirectIo | FuseOpenFlags.ParallelDirectWrites : FuseOpenFlags.KeepCache,
        };
    }

    public void Release(in Caller caller, NodeId node, ulong handle)
    {
        RecordRef dead;
        lock (_names)
        {
            if (ResolveFile(node, out var file) != Errno.Ok) return;
            ref var inode = ref _inodes[file];
            var (handles, mappable) = ((uint)inode.Opens, inode.Opens >> 32);
            var closed = Math.Min(handles, 1);
            if ((handle & HandleMaps) != 0 && mappable > 0) mappable--;
            _journal.Begin();
            _journal.Set(ref inode.Opens, mappable << 32 | (handles - closed));
            Conclude(caller);
            // With the last of these all that was mapped is written back.
            if (mappable == 0) inode.Lower(InodeFlags.TimeWasSet);
            if (_pools.Find(inode.Pool) is { } pool) pool.OpenFiles -= closed;
            dead = Dies(file) ? file : RecordRef.None;
        }
        Reap(dead);
    }

    /// <summary>Nothing, but for a removed file of which the kernel may keep much.</summary>
    public Deferral Released(NodeId node)
    {
        if (ResolveFile(node, out var file) != Errno.Ok) return default;
        ref readonly var inode = ref _inodes[file];
        var isMuch = inode.Links == 0 && Volatile.Read(in inode.Size) > MuchKept && PageCacheTrace.IsKept(in inode);
        return isMuch ? Deferral.Released(node) : default;
    }

    public ulong SizeOf(NodeId node) => ResolveFile(node, out var file) == Errno.Ok ? Volatile.Read(in _inodes[file].Size) : 0;

    public Errno Read(NodeId node, ulong handle, ulong offset, Span<byte> destination, uint readFlags, out int length)
    {
        length = 0;
        var error = ResolveFile(node, out var file);
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
        var error = ResolveFile(node, out var file);
        if (error != Errno.Ok) return error;
        DropPrivileges(caller, file, (writeFlags & WriteKillSetId) != 0);
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

    public Errno Flush(NodeId node, ulong handle) => _inodes.Resolve(node, out _);

    /// <summary>
    /// All that was written is in the region already; where that has a file, the answer waits until it is durable there, and with
    /// it everything else.
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
        var error = ResolveFile(node, out var file);
        if (error != Errno.Ok) return error;
        // The kernel does not say whether the caller may keep them: root may.
        if (FileData.Changes(mode)) DropPrivileges(caller, file, caller.Uid != 0);
        error = _data.Allocate(file, offset, length, mode, _workLeft is not null, out var left);
        if (left.Pages > 0) deferral = Deferral.Punched(node, left.First << FilePages.PageShift, left.Pages);
        return error == Errno.EOPNOTSUPP && !FileData.Changes(mode) && !CanEverFit(file, length) ? Errno.ENOSPC : error;
    }

    /// <summary>
    /// Whether so many bytes could be stored if they were as small as pages can be: all of the same bytes, a word in the index
    /// each. What cannot be then is refused at once, to a program that asks for room before it writes.
    /// </summary>
    private bool CanEverFit(RecordRef file, ulong length)
    {
        var most = _engine.Room().Capacity;
        if (_client.PoolInfo(new PoolId(_inodes[file].Pool), out var info) == TmemStatus.Ok
            && info is { Options.LimitBytes: > 0 and var limit })
            most = Math.Min(most, limit);
        if (_client.Info().Options.LimitBytes is > 0 and var granted) most = Math.Min(most, granted);
        return length / FilePages.PageSize <= (ulong)most / sizeof(ulong);
    }

    public Errno Seek(NodeId node, ulong handle, ulong offset, uint whence, out ulong found)
    {
        found = 0;
        var error = ResolveFile(node, out var file);
        return error != Errno.Ok ? error : _data.Seek(file, offset, whence, out found);
    }

    /// <summary>
    /// Figures of the store, or of the pool's limit where that is narrower. The block is a page: discards come in this unit.
    /// </summary>
    public Errno GetFileSystem(NodeId node, out FuseKstatfs figures)
    {
        figures = default;
        var error = _inodes.Resolve(node, out var inode);
        if (error != Errno.Ok) return error;
        var (capacity, used) = _engine.Room();
        var pool = new PoolId(_inodes[inode].Pool);
        var free = Math.Max(0, capacity - used - _engine.ReservedForOthers(pool));
        var status = _client.PoolInfo(pool, out var info);
        if (status == TmemStatus.Ok && info is { Options.LimitBytes: > 0 })
        {
            capacity = Math.Min(capacity, info.Options.LimitBytes);
            var taken = info.Statistics.SlotBytes + info.Statistics.IndexBytes + info.Statistics.RecordBytes;
            free = Math.Min(free, Math.Max(0, info.Options.LimitBytes - taken));
        }
        figures.Bsize = FilePages.PageSize;
        figures.Frsize = FilePages.PageSize;
        figures.Blocks = (ulong)capacity / FilePages.PageSize;
        figures.Bfree = figures.Bavail = (ulong)free / FilePages.PageSize;
        figures.Ffree = (ulong)free / BytesPerFile;
        figures.Files = (ulong)_inodes.Count + figures.Ffree;
        figures.NameLength = MaximumName;
        return Errno.Ok;
    }
}
