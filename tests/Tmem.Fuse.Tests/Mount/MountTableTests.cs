using Tmem.Control.Host;
using Tmem.Fuse.Mount;
using Xunit;

namespace Tmem.Fuse.Tests.Mount;

public sealed class MountTableTests
{
    private static readonly string[] s_lines =
    [
        "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw",
        @"40 22 0:52 / /mnt/a\040b\134c rw,nosuid master:3 propagate_from:2 - fuse.tmem tmem rw,user_id=0",
        "41 22 0:53 / /mnt/a rw - tmpfs tmpfs rw",
        "42 41 0:54 / /mnt/a rw - fuse.tmem tmem rw",
        "garbage",
        "43 22 nonsense / /x rw - ext4 x rw",
        "",
    ];

    [Fact]
    public void Lines_are_read_and_escapes_undone()
    {
        var entries = MountTable.Parse(s_lines);
        Assert.Equal(4, entries.Count);
        Assert.Equal(new MountEntry(@"/mnt/a b\c", "fuse.tmem", 52, "/", "rw,user_id=0", 0, 40, 22, 0, 3,
            MountFlags.NoSetId | MountFlags.NoAccessTimes, "tmem"), entries[1]);
        Assert.Equal((1, 254), (entries[0].Shared, entries[0].DeviceMajor));
    }

    [Fact]
    public void The_topmost_mount_counts()
    {
        var entries = MountTable.Parse(s_lines);
        Assert.Equal(54, MountTable.At("/mnt/a", entries)!.Value.DeviceMinor);
        Assert.Null(MountTable.At("/mnt", entries));
    }

    [Theory]
    [InlineData("/mnt/a", "/mnt/a", true)]
    [InlineData("/mnt/a/b", "/mnt/a", true)]
    [InlineData("/mnt/ab", "/mnt/a", false)]
    [InlineData("/mnt", "/mnt/a", false)]
    [InlineData("/x", "/", true)]
    public void Below(string path, string mount, bool below) => Assert.Equal(below, MountTable.IsBelow(path, mount));
}

public sealed class SwapGuardTests : IDisposable
{
    private readonly DirectoryInfo _blocks = Directory.CreateTempSubdirectory("tmem-blocks-");

    public void Dispose() => _blocks.Delete(recursive: true);

    private void Loop(string name, string file)
    {
        Directory.CreateDirectory(Path.Combine(_blocks.FullName, name, "loop"));
        File.WriteAllText(Path.Combine(_blocks.FullName, name, "loop/backing_file"), file + "\n");
    }

    private IReadOnlyList<string> Find(params string[] swaps) =>
        SwapGuard.SwapInUse("/mnt/tmem", ["Filename\t\tType\t\tSize\tUsed\tPriority", .. swaps], _blocks.FullName);

    [Fact]
    public void A_loop_device_on_a_file_of_the_mount()
    {
        Loop("loop3", "/mnt/tmem/swap/file");
        Assert.Equal(["/dev/loop3 (on /mnt/tmem/swap/file)"],
            Find("/dev/loop3                              partition\t1048572\t0\t5"));
    }

    [Fact]
    public void A_deleted_backing_file_and_a_direct_file()
    {
        Loop("loop3", "/mnt/tmem/swap/file (deleted)");
        Assert.Equal(["/dev/loop3 (on /mnt/tmem/swap/file)", "/mnt/tmem/a b"],
            Find("/dev/loop3 partition 1 0 5", @"/mnt/tmem/a\040b file 1 0 5"));
    }

    [Fact]
    public void Partitions_and_mappers_above_a_loop_device()
    {
        Loop("real/loop4", "/mnt/tmem/x");
        Directory.CreateDirectory(Path.Combine(_blocks.FullName, "real/loop4/loop4p1"));
        Directory.CreateSymbolicLink(Path.Combine(_blocks.FullName, "loop4p1"),
            Path.Combine(_blocks.FullName, "real/loop4/loop4p1"));
        Directory.CreateSymbolicLink(Path.Combine(_blocks.FullName, "loop4"), Path.Combine(_blocks.FullName, "real/loop4"));
        Directory.CreateDirectory(Path.Combine(_blocks.FullName, "dm-0/slaves/loop4"));
        Assert.Equal(2, Find("/dev/loop4p1 partition 1 0 5", "/dev/dm-0 partition 1 0 5").Count);
    }

    [Fact]
    public void Swap_elsewhere_is_none_of_ours()
    {
        Loop("loop3", "/mnt/tmem2/file");
        Assert.Empty(Find("/dev/loop3 partition 1 0 5", "/dev/sda2 partition 1 0 5", "/swapfile file 1 0 5", ""));
        Assert.Empty(SwapGuard.SwapInUse("/mnt/tmem", [], _blocks.FullName));
    }
}
