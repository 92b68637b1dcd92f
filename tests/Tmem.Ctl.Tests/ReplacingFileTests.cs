using System.Diagnostics;
using Tmem.Ctl.Output;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>A file takes its name once it is whole, and never a name that is something else's.</summary>
public sealed class ReplacingFileTests : IDisposable
{
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead;
    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-replacing-").FullName;

    private string Path => System.IO.Path.Combine(_folder, "file");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void It_is_there_when_it_is_complete_and_not_before()
    {
        File.WriteAllText(Path, "old");
        using (var file = new ReplacingFile(Path, Mode))
        {
            file.Stream.Write("new"u8);
            Assert.Equal("old", File.ReadAllText(Path));
            file.Complete();
        }
        Assert.Equal(("new", Mode), (File.ReadAllText(Path), File.GetUnixFileMode(Path)));
        Assert.Single(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void One_that_is_not_completed_leaves_everything_as_it_was()
    {
        File.WriteAllText(Path, "old");
        using (var file = new ReplacingFile(Path, Mode)) file.Stream.Write("new"u8);
        Assert.Equal("old", File.ReadAllText(Path));
        Assert.Single(Directory.GetFileSystemEntries(_folder));
    }

    [Theory]
    [InlineData("pipe", "no ordinary file")]
    [InlineData("directory", "a directory")]
    [InlineData("link", "a link")]
    public void What_is_no_file_is_not_replaced(string kind, string said)
    {
        if (kind == "pipe") Process.Start("mkfifo", Path).WaitForExit();
        else if (kind == "directory") Directory.CreateDirectory(Path);
        else File.CreateSymbolicLink(Path, System.IO.Path.Combine(_folder, "nowhere"));
        Assert.Equal($"it is {said}", Assert.Throws<IOException>(() => new ReplacingFile(Path, Mode)).Message);
        Assert.Single(Directory.GetFileSystemEntries(_folder));
    }

    /// <summary>As long as a name can be.</summary>
    [Fact]
    public void Any_name_can_be_given()
    {
        var path = System.IO.Path.Combine(_folder, new string('n', 255));
        using (var file = new ReplacingFile(path, Mode)) file.Complete();
        Assert.Equal([path], Directory.GetFileSystemEntries(_folder));
    }

    /// <summary>A killed process keeps no lock; one that writes does.</summary>
    [Fact]
    public void What_a_killed_one_has_left_is_removed_by_the_next_for_the_same_name()
    {
        using var under = new ReplacingFile(Path, Mode);
        under.Stream.Write("half"u8);
        var other = System.IO.Path.Combine(_folder, ".tmem-other");
        File.WriteAllText(other, "half");
        var own = Directory.GetFiles(_folder).Single(file => file != other);
        var left = own[..^4] + "left";
        File.WriteAllText(left, "half");
        using (var elsewhere = new ReplacingFile(Path + "2", Mode)) Assert.True(File.Exists(left));
        using var next = new ReplacingFile(Path, Mode);
        Assert.False(File.Exists(left));
        next.Complete();
        under.Complete();
        Assert.Equal(("half", true), (File.ReadAllText(Path), File.Exists(other)));
    }

    [Fact]
    public void A_device_is_not_replaced() => Assert.Equal("it is no ordinary file",
        Assert.Throws<IOException>(() => new ReplacingFile("/dev/null", Mode)).Message);
}
