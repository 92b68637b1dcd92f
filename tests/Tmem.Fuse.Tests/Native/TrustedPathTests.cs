using Tmem.Control.Host;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Native;

/// <summary>
/// A path is walked as root may walk it: no other user's link is followed, only a regular file is opened, nothing is looked up
/// twice.
/// </summary>
public sealed class TrustedPathTests : IDisposable
{
    private const int Create = 0x40;
    private const int ReadWrite = 2;
    private const uint Somebody = 4321;

    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-paths-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_file_is_opened_and_made_with_its_mode()
    {
        var path = Path.Combine(_folder, "file");
        var made = Open(path, new PathWish { Flags = ReadWrite | Create, OnlyOurs = true });
        Assert.True(made is { IsOpen: true, Made: true, Problem: null, Exposed: null }, made.ToString());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.True(Open(path, new PathWish { OnlyOurs = true }) is { IsOpen: true, Made: false });
        Assert.Contains("No such file", Open(path + "no", new PathWish()).Problem, StringComparison.Ordinal);
        Assert.Contains("No such file",
            Open(Path.Combine(_folder, "no/file"), new PathWish { Flags = ReadWrite | Create }).Problem,
                StringComparison.Ordinal);
    }

    [Fact]
    public void Our_own_links_are_followed_wherever_they_lead()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "a/b"));
        File.WriteAllText(Path.Combine(_folder, "a/b/file"), "x");
        Directory.CreateSymbolicLink(Path.Combine(_folder, "up"), "a/b/..");
        Directory.CreateSymbolicLink(Path.Combine(_folder, "a/all"), Path.Combine(_folder, "up"));
        File.CreateSymbolicLink(Path.Combine(_folder, "round"), "round");
        var through = Open(Path.Combine(_folder, "a/all/./b/../b/file"), new PathWish { OnlyOurs = true });
        Assert.True(through.IsOpen, through.Problem);
        Assert.Contains("too many", Open(Path.Combine(_folder, "round"), new PathWish()).Problem, StringComparison.Ordinal);
        Assert.Contains("no directory", Open(Path.Combine(_folder, "a/b/file/x"), new PathWish()).Problem,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Another_users_link_is_not_followed()
    {
        var pub = Public("pub", "1777");
        File.WriteAllText(Path.Combine(_folder, "victim"), "x");
        File.CreateSymbolicLink(Path.Combine(pub, "file"), Path.Combine(_folder, "victim"));
        Assert.True(Open(Path.Combine(pub, "file"), new PathWish()).IsOpen, "root's link in a sticky directory is root's");
        GiveAway(Path.Combine(pub, "file"));
        Assert.Contains("symbolic link", Open(Path.Combine(pub, "file"), new PathWish()).Problem, StringComparison.Ordinal);
        Assert.Contains("symbolic link", Open(Path.Combine(pub, "file"), new PathWish { Flags = ReadWrite | Create }).Problem,
            StringComparison.Ordinal);
        // Nor in the middle of a path, nor one that leads nowhere yet.
        Directory.CreateSymbolicLink(Path.Combine(pub, "folder"), _folder);
        GiveAway(Path.Combine(pub, "folder"));
        Assert.Contains("symbolic link", Open(Path.Combine(pub, "folder/victim"), new PathWish()).Problem,
            StringComparison.Ordinal);
        // In a directory that is not sticky, another user may replace root's own link.
        var open = Public("open", "0777");
        File.CreateSymbolicLink(Path.Combine(open, "file"), Path.Combine(_folder, "victim"));
        Assert.Contains("symbolic link", Open(Path.Combine(open, "file"), new PathWish()).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void What_others_can_change_is_named_and_refused_where_it_must_be_ours()
    {
        var file = Path.Combine(Public("open", "0777"), "file");
        File.WriteAllText(file, "x");
        Assert.Contains("others may write to", Open(file, new PathWish()).Exposed, StringComparison.Ordinal);
        Assert.Contains("others may write to", Open(file, new PathWish { OnlyOurs = true }).Problem, StringComparison.Ordinal);
        Assert.Contains("is not made there",
            Open(file + "2", new PathWish { Flags = ReadWrite | Create, OnlyOurs = true }).Problem, StringComparison.Ordinal);
        Assert.False(File.Exists(file + "2"));

        var sticky = Path.Combine(Public("sticky", "1777"), "file");
        File.WriteAllText(sticky, "x");
        Assert.True(Open(sticky, new PathWish { OnlyOurs = true }).IsOpen);
        Run("chmod", "0666", sticky);
        Assert.Contains("others may write to", Open(sticky, new PathWish { OnlyOurs = true }).Problem, StringComparison.Ordinal);
        Run("chmod", "0600", sticky);
        GiveAway(sticky);
        Assert.Contains($"belongs to user {Somebody}", Open(sticky, new PathWish { OnlyOurs = true }).Problem,
            StringComparison.Ordinal);

        Assert.True(Open(Path.Combine(_folder, "open"), new PathWish { IsDirectory = true, OnlyOurs = true })
            is { IsOpen: false });
        Assert.True(Open(Path.Combine(_folder, "sticky"), new PathWish { IsDirectory = true, OnlyOurs = true })
            is { IsOpen: true });
    }

    [Fact]
    public void A_second_name_that_another_user_may_have_given_is_not_opened()
    {
        var open = Public("open", "0777");
        File.WriteAllText(Path.Combine(_folder, "victim"), "x");
        Run("ln", Path.Combine(_folder, "victim"), Path.Combine(open, "file"));
        Assert.Contains("another name", Open(Path.Combine(open, "file"), new PathWish()).Problem, StringComparison.Ordinal);
        Assert.True(Open(Path.Combine(_folder, "victim"), new PathWish { OnlyOurs = true }).IsOpen);
    }

    [Fact]
    public void Nothing_that_makes_one_wait_is_opened()
    {
        Run("mkfifo", Path.Combine(_folder, "fifo"));
        foreach (var path in new[] { Path.Combine(_folder, "fifo"), "/dev/null" })
            Assert.Contains("no regular file", Open(path, new PathWish()).Problem, StringComparison.Ordinal);
        Assert.Contains("is a directory", Open(_folder, new PathWish()).Problem, StringComparison.Ordinal);
        Assert.Contains("empty", Open("", new PathWish()).Problem, StringComparison.Ordinal);
        Assert.Contains("character 0", Open("/a\0b", new PathWish()).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_forbidden_file_system_is_not_entered()
    {
        var asked = 0;
        var path = Path.Combine(_folder, "file");
        File.WriteAllText(path, "x");
        Assert.Contains("file system", Open(path, new PathWish { IsForbidden = (_, _) => ++asked > 0 }).Problem,
            StringComparison.Ordinal);
        Assert.Equal(1, asked);
    }

    [Fact]
    public void A_directory_is_made_and_none_on_the_way_to_it()
    {
        var above = Path.Combine(_folder, "x");
        var path = Path.Combine(above, "y");
        var wish = new PathWish { Flags = Create, IsDirectory = true, OnlyOurs = true };
        Assert.Equal($"{above} does not exist; make it first: mkdir -p {above}", Open(path, wish).Problem);
        Assert.False(Directory.Exists(above));
        Directory.CreateDirectory(above);
        var opened = Open(path, wish);
        Assert.True(opened.IsOpen, opened.Problem);
        Assert.True(Directory.Exists(path));
        Assert.True(Open("/", new PathWish { IsDirectory = true }).IsOpen);
    }

    private string Public(string name, string mode)
    {
        if (Environment.UserName != "root") Assert.Skip("giving files to another user needs root");
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(path);
        Run("chmod", mode, path);
        return path;
    }

    private static void GiveAway(string path) => Run("chown", "-h", $"{Somebody}", path);

    private static void Run(string program, params string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    private static OpenedPath Open(string path, PathWish wish)
    {
        var opened = TrustedPath.Open(path, wish);
        if (opened.IsOpen) _ = Libc.close(opened.Descriptor);
        return opened;
    }
}
