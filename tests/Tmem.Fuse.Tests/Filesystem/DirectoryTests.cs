using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>Listings.</summary>
public sealed class DirectoryTests
{
    [Theory]
    [InlineData(NameHash.Full)]
    [InlineData(7UL)]
    public void What_stays_is_listed_once_whatever_comes_and_goes(ulong hashMask)
    {
        using var volume = new TestVolume(hashMask: hashMask);
        var directory = volume.Directory(volume.Pool(), "d");
        for (var i = 0; i < 300; i++) volume.File(directory, $"stays {i}");
        for (var i = 0; i < 300; i++) volume.File(directory, $"goes {i}");
        var seen = new List<Listed>();
        var random = new Random(1);
        for (var (part, round) = (volume.ListFrom(directory, 0, 200), 0); part.Count > 0; part =
            volume.ListFrom(directory, seen[^1].Cookie, 200), round++)
        {
            seen.AddRange(part);
            volume.Unlink(directory, $"goes {random.Next(300)}");
            // The entry at the listing's cursor may be removed, too.
            if (seen[^1].Name.StartsWith("goes", StringComparison.Ordinal)) volume.Unlink(directory, seen[^1].Name);
            volume.TryFile(directory, $"comes {round}", out _);
            volume.TryFile(directory, $"goes {random.Next(300)}", out _);
        }
        Assert.Equal(
            Enumerable.Range(0, 300).Select(i => $"stays {i}").Order(StringComparer.Ordinal),
            seen.Select(one => one.Name).Where(name => name.StartsWith("stays", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal));
        Assert.True(seen.Zip(seen.Skip(1)).All(pair => pair.First.Cookie < pair.Second.Cookie));
        Assert.All(seen, one => Assert.InRange(one.Cookie, 1UL, (ulong)long.MaxValue));
        volume.AssertSound();
    }

    /// <summary>However large the buffer and deep the nesting: others wait for it.</summary>
    [Fact]
    public void A_reply_and_a_look_upwards_are_bounded()
    {
        using var volume = new TestVolume();
        var pool = volume.Pool();
        for (var i = 0; i < 1000; i++) volume.File(pool, $"f{i}");
        Assert.InRange(volume.ListFrom(pool, 0, 1 << 20).Count, 100, 258);
        Assert.Equal(1000, volume.List(pool, 1 << 20).Count);
        var moved = volume.Directory(pool, "moved");
        var at = volume.Directory(pool, "d");
        for (var i = 0; i < 17_000; i++) at = volume.Directory(at, "d");
        Assert.Equal(Errno.EINVAL, volume.Rename(pool, "moved", at, "there"));
        Assert.Equal(Errno.Ok, volume.Rename(pool, "f1", at, "there"));
        Assert.Equal(Errno.Ok, volume.Rename(pool, "moved", volume.Find(pool, "d"), "there"));
        Assert.NotEqual(default, moved);
    }

    [Fact]
    public void Cookies_survive_an_attach()
    {
        using var volume = new TestVolume(hashMask: 7);
        var pool = volume.Pool();
        for (var i = 0; i < 100; i++) volume.File(pool, $"f{i}");
        for (var i = 0; i < 100; i += 3) volume.Unlink(pool, $"f{i}");
        var before = volume.List(pool);
        volume.Attach();
        Assert.Equal(before, volume.List(pool));
    }

    [Fact]
    public void Read_directory_plus_counts_a_lookup_for_each_entry_that_fits()
    {
        using var volume = new TestVolume();
        var directory = volume.Directory(volume.Pool(), "d");
        for (var i = 0; i < 3; i++)
        {
            var file = volume.File(directory, $"f{i}");
            volume.Files.Forget(TestVolume.Root, file, 1);
        }
        // Room for the dots and two of the three.
        var buffer = new byte[4 * 160 + 100];
        var writer = new DirectoryWriter(buffer, plus: true);
        Assert.Equal(Errno.Ok, volume.Files.ReadDirectory(TestVolume.Root, directory, 0, 0, ref writer));
        Assert.Equal(4 * 160, writer.Length);
        var known = 0;
        foreach (var one in volume.List(directory))
        {
            Assert.Equal(Errno.Ok, volume.Unlink(directory, one.Name));
            if (volume.Files.GetAttributes(new NodeId(one.Inode), out _) != Errno.Ok) continue;
            known++;
            volume.Files.Forget(TestVolume.Root, new NodeId(one.Inode), 1);
            Assert.Equal(Errno.ESTALE, volume.Files.GetAttributes(new NodeId(one.Inode), out _));
        }
        Assert.Equal(2, known);
        volume.AssertSound();
    }

    [Fact]
    public void A_buffer_too_small_for_one_entry_is_an_error_and_not_the_end()
    {
        using var volume = new TestVolume();
        var pool = volume.Pool();
        volume.File(pool, new string('n', 200));
        var writer = new DirectoryWriter(new byte[64], plus: false);
        Assert.Equal(Errno.EINVAL, volume.Files.ReadDirectory(TestVolume.Root, pool, 0, 2, ref writer));
        writer = new DirectoryWriter(new byte[64], plus: false);
        Assert.Equal(Errno.Ok, volume.Files.ReadDirectory(TestVolume.Root, pool, 0, ulong.MaxValue, ref writer));
        Assert.Equal(0, writer.Length);
    }

    [Fact]
    public void A_removed_open_directory_can_be_listed()
    {
        using var volume = new TestVolume();
        var outer = volume.Directory(volume.Pool(), "outer");
        var inner = volume.Directory(outer, "inner");
        Assert.Equal(Errno.Ok, volume.Files.OpenDirectory(TestVolume.Root, inner, 0, out var open));
        Assert.Equal(Errno.Ok, volume.RemoveDirectory(outer, "inner"));
        volume.Files.Forget(TestVolume.Root, inner, 100);
        Assert.Empty(volume.List(inner));
        Assert.Equal(Errno.Ok, volume.RemoveDirectory(volume.Find(NodeId.Root, "p"), "outer"));
        volume.Files.Forget(TestVolume.Root, outer, 100);
        Assert.Empty(volume.List(inner));
        volume.Files.ReleaseDirectory(TestVolume.Root, inner, open.Fh);
        Assert.Equal(Errno.ESTALE, volume.Files.GetAttributes(inner, out _));
        volume.AssertSound();
    }
}
