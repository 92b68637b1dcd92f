using System.Diagnostics;
using Tmem.Control.Host;
using Tmem.Ctl.Mounts;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>A mount point is found by every path that leads to it, and nothing below one is asked for.</summary>
public sealed class MountPathTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-place-").FullName;

    public MountPathTests()
    {
        Directory.CreateDirectory(In("a/b/mnt"));
        File.CreateSymbolicLink(In("whole"), In("a/b/mnt"));
        File.CreateSymbolicLink(In("part"), "a/b");
        File.CreateSymbolicLink(In("a/up"), "../part/./mnt/");
        File.CreateSymbolicLink(In("loop"), "loop");
        File.CreateSymbolicLink(In("a/b/mnt/below"), "/etc");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(string name) => Path.Combine(_folder, name);

    [Theory]
    [InlineData("a/b/mnt")]
    [InlineData("a//b/./mnt/")]
    [InlineData("whole")]
    [InlineData("part/mnt")]
    [InlineData("a/up")]
    [InlineData("part/../b/mnt")]
    public void Every_path_to_it_is_the_same(string path) => Assert.Equal(In("a/b/mnt"), MountPath.Of(In(path), []));

    [Theory]
    [InlineData("nowhere/x", "nowhere/x")]
    [InlineData("part/nowhere", "a/b/nowhere")]
    [InlineData("loop/x", "loop/x")]
    public void What_is_not_there_is_as_it_was_given(string path, string place) =>
        Assert.Equal(In(place), MountPath.Of(In(path), []));

    /// <summary>The daemon then finds the directory, and says what is wrong with its name.</summary>
    [Fact]
    public void A_link_to_a_name_that_is_not_UTF8_is_as_it_was_given()
    {
        string[] words = ["-c", "ln -s \"$0/$(printf 'caf\\351')\" \"$0/odd\"", _folder];
        using (var made = Process.Start("sh", words)) made.WaitForExit();
        Assert.Equal(In("odd/x"), MountPath.Of(In("odd/x"), []));
    }

    [Fact]
    public void Below_a_mount_nothing_is_looked_at()
    {
        Assert.Equal("/etc", MountPath.Of(In("whole/below"), []));
        Assert.Equal(In("a/b/mnt/below"), MountPath.Of(In("whole/below"), [new MountEntry(In("a/b/mnt"), "fuse.tmem", 5)]));
    }

    /// <summary>A link of a name that realpath(1) knows leads where that says.</summary>
    [Fact]
    public void As_the_system_itself_finds_it()
    {
        using var system = Process.Start(new ProcessStartInfo("realpath", ["-m", "/lib/../x"])
            { RedirectStandardOutput = true })!;
        var said = system.StandardOutput.ReadToEnd().Split('\n');
        Assert.Equal(said[0], MountPath.Of("/lib/../x", []));
    }

    [Fact]
    public void The_daemon_of_a_mount_is_looked_for_where_a_link_to_it_leads()
    {
        using var output = new StringWriter();
        Assert.Equal(ExitCode.Unreachable, CommandTree.Run(["status", "--mount", In("part/mnt")], output, output,
            new FakeSwapSystem(), new NoMounts()));
        Assert.Contains($"no daemon reached on {MountSocket.Of(In("a/b/mnt"))}: ", output.ToString(), StringComparison.Ordinal);
    }
}
