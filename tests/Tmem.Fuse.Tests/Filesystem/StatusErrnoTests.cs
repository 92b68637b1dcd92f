using Tmem.Engine;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Every status of the engine has a deliberately chosen errno.</summary>
public sealed class StatusErrnoTests
{
    private static readonly Dictionary<TmemStatus, Errno> s_expected = new()
    {
        [TmemStatus.Ok] = Errno.Ok,
        [TmemStatus.Miss] = Errno.ENODATA,
        [TmemStatus.NoRoom] = Errno.ENOSPC,
        [TmemStatus.PoolLimit] = Errno.ENOSPC,
        [TmemStatus.Reserved] = Errno.ENOSPC,
        [TmemStatus.ClientLimit] = Errno.ENOSPC,
        [TmemStatus.Incompressible] = Errno.ENOSPC,
        [TmemStatus.TooManyPools] = Errno.ENOSPC,
        [TmemStatus.TableFull] = Errno.ENOSPC,
        [TmemStatus.NoSuchPool] = Errno.ESTALE,
        [TmemStatus.ForeignClient] = Errno.EPERM,
        [TmemStatus.NotAuthorised] = Errno.EACCES,
        [TmemStatus.InvalidObjectId] = Errno.EINVAL,
        [TmemStatus.InvalidFlags] = Errno.EINVAL,
        [TmemStatus.UnsupportedPageSize] = Errno.EINVAL,
        [TmemStatus.UnsupportedCodec] = Errno.EINVAL,
        [TmemStatus.InvalidArgument] = Errno.EINVAL,
        [TmemStatus.InvalidRange] = Errno.EINVAL,
        [TmemStatus.PoolMismatch] = Errno.EINVAL,
        [TmemStatus.Precompressed] = Errno.EINVAL,
        [TmemStatus.InvalidSharedId] = Errno.EINVAL,
        [TmemStatus.KindMismatch] = Errno.EEXIST,
        [TmemStatus.SharedIdInUse] = Errno.EBUSY,
        [TmemStatus.Frozen] = Errno.EROFS,
        [TmemStatus.Corrupt] = Errno.EIO,
        [TmemStatus.DiskFull] = Errno.ENOSPC,
        [TmemStatus.DiskError] = Errno.EIO,
        [TmemStatus.FileRemoved] = Errno.EIO,
    };

    [Fact]
    public void Every_status_has_its_error_number()
    {
        foreach (var status in Enum.GetValues<TmemStatus>())
        {
            Assert.True(s_expected.TryGetValue(status, out var expected), $"{status} has no line in this test");
            Assert.Equal(expected, StatusErrno.Of(status));
        }
    }
}
