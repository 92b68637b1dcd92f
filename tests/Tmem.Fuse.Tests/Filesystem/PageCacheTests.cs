using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// Which writes wait until the kernel has invalidated what it caches of a file: those that bypass the page cache while others use
/// it.
/// </summary>
public sealed class PageCacheTests : IDisposable
{
    private const uint Cached = 0;
    private const uint FromMapping = 1;
    private const uint Direct = 2;

    private readonly TestVolume _volume = new();
    private readonly NodeId _file;
    private readonly byte[] _page = new byte[4096];

    public PageCacheTests() => _file = _volume.File(_volume.Pool(), "f");

    public void Dispose() => _volume.Dispose();

    private Deferral Write(uint flags, ulong offset = 8192)
    {
        Assert.Equal(Errno.Ok, _volume.Files.Write(TestVolume.Root, _file, 0, offset, _page, flags, out _, out var deferral));
        return deferral;
    }

    private void Read(uint flags) => Assert.Equal(Errno.Ok, _volume.Files.Read(_file, 0, 0, _page, flags, out _));

    private Deferral OfRange => new(DeferralKind.Invalidated, _file, 8192, 4096);

    [Fact]
    public void A_file_that_is_only_used_directly_waits_for_nothing()
    {
        for (var round = 0; round < 100; round++)
        {
            Assert.Equal(default, Write(Direct));
            Read(Direct);
        }
    }

    [Theory]
    [InlineData(Cached)]
    [InlineData(FromMapping)]
    [InlineData(FromMapping | Direct)]
    public void Writes_of_the_page_cache_never_wait(uint flags)
    {
        Read(Cached);
        Write(Direct);
        Assert.Equal(default, Write(flags));
    }

    /// <summary>
    /// Whatever brings pages into the kernel's cache, the next direct write waits, in the next process too; not after a new
    /// mount.
    /// </summary>
    [Fact]
    public void A_direct_write_waits_once_the_page_cache_has_been_used()
    {
        foreach (var use in new Action[] { () => Read(Cached), () => Write(Cached), () => Write(FromMapping) })
        {
            Assert.Equal(default, Write(Direct));
            use();
            Assert.Equal(OfRange, Write(Direct));
            _volume.Attach();
            Assert.Equal(OfRange, Write(Direct));
            var error = _volume.Files.Write(TestVolume.Root, _file, 0, 1UL << 44, _page, Direct, out _, out var deferral);
            Assert.Equal(Errno.EFBIG, error);
            Assert.Equal(default, deferral);
            _volume.Files.DropKernelReferences();
            Assert.Equal(Errno.Ok, _volume.TryFind(_volume.Find(NodeId.Root, "p"), "f", out _));
        }
    }

    /// <summary>
    /// A file that was once read by name, such as a swap file by a backup, is invalidated as a whole, and then its writes wait no
    /// longer.
    /// </summary>
    [Fact]
    public void Writes_stop_waiting_when_the_cache_is_no_longer_used()
    {
        Read(Cached);
        var (ranges, wholes) = (0, 0);
        for (var deferral = Write(Direct); deferral != default; deferral = Write(Direct))
        {
            if (deferral == OfRange) ranges++;
            else if (deferral == new Deferral(DeferralKind.AllInvalidated, _file, 0, 4096)) wholes++;
            Assert.InRange(ranges, 0, 100_000);
        }
        Assert.Equal(1, wholes);
        // Those in flight when the whole file was requested were answered long ago.
        Assert.InRange(ranges, 2000, 20_000);
        Assert.Equal(default, Write(Direct));
        Read(Cached);
        Assert.Equal(OfRange, Write(Direct));
    }

    /// <summary>
    /// The kernel drops its cached pages of a removed file with the reply to its RELEASE, in the thread that sends it.
    /// </summary>
    [Theory]
    [InlineData(8 << 20, Cached, true, true)]
    [InlineData(8 << 20, Cached, false, false)]
    [InlineData(8 << 20, Direct, true, false)]
    [InlineData(64 << 10, Cached, true, false)]
    public void A_removed_file_that_the_kernel_keeps_much_of_is_released_in_steps(int size, uint how, bool isRemoved,
        bool isDeferred)
    {
        var pool = _volume.Pool("q");
        var file = _volume.File(pool, "g");
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.Root, file, 2, 0, out var open));
        Assert.Equal(Errno.Ok,
            _volume.Files.Write(TestVolume.Root, file, open.Fh, (ulong)size - 4096, _page, how, out _, out _));
        if (isRemoved) Assert.Equal(Errno.Ok, _volume.Files.Unlink(TestVolume.Root, pool, "g"u8));
        _volume.Files.Release(TestVolume.Root, file, open.Fh);
        Assert.Equal(isDeferred ? Deferral.Released(file) : default, _volume.Files.Released(file));
        Assert.Equal((ulong)size, _volume.Files.SizeOf(file));
    }
}
