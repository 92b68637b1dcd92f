using Tmem.Engine;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>The one place where an engine's status becomes an error number.</summary>
internal static class StatusErrno
{
    public static Errno Of(TmemStatus status) => status switch
    {
        TmemStatus.Ok => Errno.Ok,
        TmemStatus.Miss => Errno.ENODATA,
        TmemStatus.NoRoom => Errno.ENOSPC,
        TmemStatus.PoolLimit => Errno.ENOSPC,
        TmemStatus.Reserved => Errno.ENOSPC,
        TmemStatus.Incompressible => Errno.ENOSPC,
        TmemStatus.TooManyPools => Errno.ENOSPC,
        TmemStatus.NoSuchPool => Errno.ESTALE,
        TmemStatus.ForeignClient => Errno.EPERM,
        TmemStatus.InvalidObjectId => Errno.EINVAL,
        TmemStatus.InvalidFlags => Errno.EINVAL,
        TmemStatus.UnsupportedPageSize => Errno.EINVAL,
        TmemStatus.UnsupportedCodec => Errno.EINVAL,
        TmemStatus.InvalidArgument => Errno.EINVAL,
        TmemStatus.InvalidRange => Errno.EINVAL,
        TmemStatus.PoolMismatch => Errno.EINVAL,
        TmemStatus.Precompressed => Errno.EINVAL,
        TmemStatus.Corrupt => Errno.EIO,
        TmemStatus.ClientLimit => Errno.ENOSPC,
        TmemStatus.Frozen => Errno.EROFS,
        TmemStatus.NotAuthorised => Errno.EACCES,
        TmemStatus.KindMismatch => Errno.EEXIST,
        TmemStatus.InvalidSharedId => Errno.EINVAL,
        TmemStatus.SharedIdInUse => Errno.EBUSY,
        TmemStatus.TableFull => Errno.ENOSPC,
        TmemStatus.DiskFull => Errno.ENOSPC,
        TmemStatus.DiskError => Errno.EIO,
        TmemStatus.FileRemoved => Errno.EIO,
        _ => Errno.EIO,
    };
}
