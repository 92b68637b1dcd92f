using Tmem.Engine;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// Nothing that a user makes is free: each record counts against its pool, across an attach too, until it is gone.
/// </summary>
public sealed class RecordLimitTests
{
    private const long Limit = TestVolume.Mebi;

    private static long RecordBytes(TestVolume volume)
    {
        Assert.Equal(TmemStatus.Ok, volume.Client.PoolInfo(new PoolId((uint)Number(volume)), out var info));
        return info!.Statistics.RecordBytes;
    }

    private static long Number(TestVolume volume) => volume.Files.Pools().Single(pool => pool.Name == "p").Id.Value;

    public static TheoryData<string> Kinds => ["attributes", "files", "directories", "symlinks", "links"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_kind_stops_at_the_pools_limit(string kind)
    {
        using var volume = new TestVolume();
        var pool = volume.Pool(limit: Limit);
        var other = volume.Pool("q");
        var empty = RecordBytes(volume);
        Assert.InRange(empty, 100, 1000);
        var file = volume.File(pool, "file");
        var error = Errno.Ok;
        var made = 0;
        for (; error == Errno.Ok && made < 100_000; made++)
        {
            var name = $"{made}";
            switch (kind)
            {
                case "attributes":
                    error = volume.TryFile(pool, name, out var owner);
                    if (error == Errno.Ok) error = volume.SetAttribute(owner, "user.a", new byte[32_000]);
                    break;
                case "files": error = volume.TryFile(pool, name, out _); break;
                case "directories": error = volume.Files.MakeDirectory(TestVolume.Root, pool, TestVolume.Bytes(name), 0x1ED,
                    out _); break;
                case "symlinks": error = volume.Files.SymbolicLink(TestVolume.Root, pool, TestVolume.Bytes(name), new byte[1000],
                    out _); break;
                default: error = volume.Link(file, pool, name); break;
            }
        }
        Assert.Equal(Errno.ENOSPC, error);
        Assert.InRange(RecordBytes(volume), Limit - 40_000, Limit);
        volume.AssertSound();
        // The neighbour has its room; the pool itself has no room for a page.
        volume.File(other, "f", TestVolume.Noise(100_000, 1));
        Assert.Equal(Errno.ENOSPC, volume.TryWrite(file, 0, TestVolume.Noise(100_000, 2), out var written) == Errno.Ok
            && written == 100_000 ? Errno.Ok : Errno.ENOSPC);
        for (var i = 0; i < made; i++)
            if (volume.RemoveDirectory(pool, $"{i}") == Errno.ENOTDIR) volume.Unlink(pool, $"{i}");
        volume.Unlink(pool, "file");
        volume.Files.DropKernelReferences();
        Assert.Equal(empty, RecordBytes(volume));
        volume.AssertSound();
    }

    [Fact]
    public void An_attach_counts_the_same()
    {
        var path = Path.Combine(Path.GetTempPath(), $"tmem-limit-{Guid.NewGuid():N}.region");
        try
        {
            long before;
            using (var volume = new TestVolume(path: path))
            {
                var pool = volume.Pool(limit: Limit);
                for (var i = 0; i < 100; i++)
                    Assert.Equal(Errno.Ok, volume.SetAttribute(volume.File(pool, $"{i}"), "user.a", new byte[i * 10]));
                for (var i = 0; i < 100; i += 3) volume.Unlink(pool, $"{i}");
                volume.Files.DropKernelReferences();
                before = RecordBytes(volume);
            }
            using (var volume = new TestVolume(path: path))
            {
                Assert.Equal(before, RecordBytes(volume));
                volume.AssertSound();
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>The client's limit covers all of its pools.</summary>
    [Fact]
    public void The_clients_limit_holds_for_records_too()
    {
        using var volume = new TestVolume();
        var pool = volume.Pool();
        Assert.Equal(TmemStatus.Ok, volume.Client.Configure(new ClientOptions { LimitBytes = Limit }));
        var error = Errno.Ok;
        for (var i = 0; error == Errno.Ok && i < 100_000; i++) error = volume.TryFile(pool, $"{i}", out _);
        Assert.Equal(Errno.ENOSPC, error);
        Assert.InRange(RecordBytes(volume), Limit - 10_000, Limit);
        volume.AssertSound();
    }

    [Fact]
    public void A_file_has_so_many_attributes_and_no_more()
    {
        using var volume = new TestVolume();
        var file = volume.File(volume.Pool(), "f");
        for (var i = 0; i < ExtendedAttributes.MaximumCount; i++)
            Assert.Equal(Errno.Ok, volume.SetAttribute(file, $"user.{i}", "1"u8));
        Assert.Equal(Errno.ENOSPC, volume.SetAttribute(file, "user.more", ""u8));
        Assert.Equal(Errno.Ok, volume.SetAttribute(file, "user.7", "another"u8));
        Assert.Equal(ExtendedAttributes.MaximumCount, volume.AttributeNames(file).Length);
        volume.Attach();
        volume.AssertSound();
        Assert.Equal(ExtendedAttributes.MaximumCount, volume.AttributeNames(file).Length);
        Assert.Equal(Errno.ENOSPC, volume.SetAttribute(file, "user.more", ""u8));
    }
}
