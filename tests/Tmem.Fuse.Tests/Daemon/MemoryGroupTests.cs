using Tmem.Fuse.Daemon;
using Xunit;

namespace Tmem.Fuse.Tests.Daemon;

/// <summary>Which memory groups are dangerous for the daemon, according to the kernel's files.</summary>
public sealed class MemoryGroupTests : IDisposable
{
    private const string Unlimited = "9223372036854771712";
    private readonly string _root = Directory.CreateTempSubdirectory("tmem-group-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData("max", "max", "max", null)]
    [InlineData("1048576", "max", "max", "1.0 MiB")]
    [InlineData("max", "1048576", "max", "1.0 MiB")]
    [InlineData("1048576", "524288", "4096", "512.0 KiB")]
    [InlineData("1048576", "max", "0", null)]
    public void Version_two(string max, string high, string swap, string? limit)
    {
        Write("proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate");
        Write("proc/self/cgroup", "0::/a/b");
        Group("sys/fs/cgroup/a/b", ("memory.max", max), ("memory.high", high), ("memory.swap.max", swap));
        AssertDanger(limit, "sys/fs/cgroup/a/b/memory.swap.max");
    }

    [Fact]
    public void A_group_above_counts_in_version_two()
    {
        Write("proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate");
        Write("proc/self/cgroup", "0::/a/b");
        Group("sys/fs/cgroup/a/b", ("memory.max", "max"), ("memory.swap.max", "max"));
        Group("sys/fs/cgroup/a", ("memory.max", "1048576"), ("memory.swap.max", "max"));
        AssertDanger("1.0 MiB", "sys/fs/cgroup/a/b/memory.swap.max");
        Group("sys/fs/cgroup/a", ("memory.max", "1048576"), ("memory.swap.max", "0"));
        AssertDanger(null, "");
    }

    [Theory]
    [InlineData(Unlimited, Unlimited, "60", null)]
    [InlineData("1048576", Unlimited, "60", "1.0 MiB")]
    [InlineData("1048576", "2097152", "60", "1.0 MiB")]
    [InlineData("1048576", "1048576", "60", null)]
    [InlineData("1048576", Unlimited, "0", null)]
    public void Version_one(string max, string both, string swappiness, string? limit)
    {
        Write("proc/self/mountinfo",
            "29 24 0:25 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup "
            + "rw,memory");
        Write("proc/self/cgroup", "5:cpu:/\n4:memory:/a");
        Group("sys/fs/cgroup/memory/a", ("memory.limit_in_bytes", max), ("memory.memsw.limit_in_bytes", both),
            ("memory.swappiness", swappiness));
        AssertDanger(limit, "sys/fs/cgroup/memory/a/memory.swappiness");
    }

    /// <summary>A container that shows its own part of the tree as the whole, and names its group as the host does.</summary>
    [Fact]
    public void A_part_of_the_tree_may_be_mounted()
    {
        Write("proc/self/mountinfo", "30 24 0:26 /docker/12 /sys/fs/cgroup ro - cgroup2 cgroup2 rw");
        Write("proc/self/cgroup", "0::/docker/12");
        Group("sys/fs/cgroup", ("memory.max", "1048576"), ("memory.swap.max", "max"));
        AssertDanger("1.0 MiB", "sys/fs/cgroup/memory.swap.max");
    }

    [Fact]
    public void Without_groups_there_is_no_danger()
    {
        AssertDanger(null, "");
        Assert.Null(MemoryGroup.Read(_root).TooSmallFor(1L << 50));
    }

    [Fact]
    public void A_store_has_to_fit()
    {
        Write("proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw");
        Write("proc/self/cgroup", "0::/a");
        Group("sys/fs/cgroup/a", ("memory.max", "1073741824"), ("memory.swap.max", "0"));
        var group = MemoryGroup.Read(_root);
        Assert.Null(group.TooSmallFor(960 << 20));
        Assert.EndsWith("Give a capacity of at most 960.0 MiB, or raise the limit to 1.0 GiB or more (memory.max; in version 1 "
            + "memory.limit_in_bytes).", group.TooSmallFor(961 << 20), StringComparison.Ordinal);
        Group("sys/fs/cgroup/a", ("memory.max", "33554432"), ("memory.swap.max", "0"));
        var small = MemoryGroup.Read(_root).TooSmallFor(64 << 20);
        Assert.Contains("a is limited to 32.0 MiB, and the capacity is 64.0 MiB", small, StringComparison.Ordinal);
        Assert.Contains("No capacity fits: raise the limit to 128.0 MiB or more", small, StringComparison.Ordinal);
    }

    private void AssertDanger(string? limit, string remedy)
    {
        var danger = MemoryGroup.Read(_root).Danger;
        Assert.Equal(limit is null, danger is null);
        if (danger is null) return;
        Assert.Contains($"is limited to {limit} and may swap", danger.What, StringComparison.Ordinal);
        Assert.Contains($"write 0 to {Path.Combine(_root, remedy)} ", danger.Remedy, StringComparison.Ordinal);
    }

    private void Group(string folder, params (string File, string Text)[] files)
    {
        foreach (var (file, text) in files) Write($"{folder}/{file}", text);
    }

    private void Write(string file, string text)
    {
        var path = Path.Combine(_root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text + "\n");
    }
}
