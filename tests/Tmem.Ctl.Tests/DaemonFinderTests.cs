using Tmem.Control.Host;
using Tmem.Ctl.Mounts;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>The daemon of a mount is found among those with a socket in one folder.</summary>
public sealed class DaemonFinderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-find-").FullName;
    private readonly FakeServer _first = new() { Connection = 51 };
    private readonly FakeServer _second = new() { Connection = 52 };

    public DaemonFinderTests()
    {
        File.WriteAllText(Path.Combine(_folder, "a.sock"), "no socket");
        File.CreateSymbolicLink(Path.Combine(_folder, "b.sock"), _first.SocketPath);
        File.CreateSymbolicLink(Path.Combine(_folder, "c.sock"), _second.SocketPath);
    }

    private string? Find(string directory, int connection) =>
        DaemonFinder.SocketOf(directory, [new MountEntry(directory, "fuse.tmem", connection)], _folder);

    [Fact]
    public void The_one_that_says_it_serves_it() =>
        Assert.Equal(Path.Combine(_folder, "c.sock"), Find(_second.Mount, 52));

    [Fact]
    public void Not_one_that_served_another_mount_there() => Assert.Null(Find(_second.Mount, 51));

    [Fact]
    public void Nor_any_for_a_directory_that_is_no_mount() =>
        Assert.Null(DaemonFinder.SocketOf(_second.Mount, [new MountEntry("/", "ext4", 1)], _folder));

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
