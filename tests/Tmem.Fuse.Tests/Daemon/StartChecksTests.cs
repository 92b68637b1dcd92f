using Tmem.Fuse.Daemon;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Daemon;

/// <summary>Arguments that are valid and cannot be meant.</summary>
public sealed class StartChecksTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-start-").FullName;

    [Fact]
    public void An_empty_mount_point_and_a_socket_beside_it_are_fine() => Assert.Empty(StartChecks.Run(Options("mnt", "sock")));

    [Fact]
    public void A_mount_point_that_is_not_empty_is_warned_of()
    {
        var options = Options("mnt", "sock");
        File.WriteAllText(Path.Combine(options.MountPoint, "file"), "");
        Assert.Contains("is not empty", Assert.Single(StartChecks.Run(options)));
    }

    [Fact]
    public void More_threads_than_processors_can_use_are_warned_of()
    {
        var warnings = StartChecks.Run(Options("mnt", "sock") with { Threads = 4 * Environment.ProcessorCount + 1 });
        Assert.Contains("--threads", Assert.Single(warnings));
    }

    [Theory]
    [InlineData("mnt/sock", null, "--socket")]
    [InlineData("mnt/run/sock", null, "--socket")]
    [InlineData("link/sock", null, "--socket")]
    [InlineData("mnt2/../mnt/sock", null, "--socket")]
    [InlineData("sock", "mnt/region", "--region")]
    public void What_would_be_out_of_sight_once_the_mount_is_made_is_refused(string socket, string? region, string names)
    {
        var options = Options("mnt", socket) with { RegionPath = region is null ? null : Path.Combine(_folder, region) };
        File.CreateSymbolicLink(Path.Combine(_folder, "link"), options.MountPoint);
        Assert.Contains(names, Assert.Throws<StartupException>(() => StartChecks.Run(options)).Message);
        Assert.Empty(StartChecks.Run(Options("mnt2", "mnt/sock")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private DaemonOptions Options(string mount, string socket)
    {
        Directory.CreateDirectory(Path.Combine(_folder, mount));
        return new DaemonOptions
        {
            MountPoint = Path.Combine(_folder, mount), CapacityBytes = 1 << 20, SocketPath = Path.Combine(_folder, socket),
        };
    }
}
