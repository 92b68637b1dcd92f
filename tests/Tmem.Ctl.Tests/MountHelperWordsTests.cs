using System.Text;
using CsCheck;
using Tmem.Control.Messages;
using Tmem.Ctl.Mounts;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>
/// The command line of mount(8)'s helpers, the names of their sockets, and what a daemon says that does not start.
/// </summary>
public class MountHelperWordsTests
{
    [Theory]
    [InlineData("none /mnt/x", "", "")]
    [InlineData("none /mnt/x -s -f -n -v -o ro,capacity=1G", "sfnv", "ro,capacity=1G")]
    [InlineData("-sfv -o ro none -ouid=5 /mnt/x -t tmem", "sfv", "ro,uid=5")]
    public void Words_come_in_any_order(string line, string letters, string options)
    {
        var words = HelperWords.Parse(line.Split(' '), MountHelper.Letters, 2, out _)!;
        Assert.Equal(["none", "/mnt/x"], words.Places);
        Assert.Equal((letters, options, null), (words.Letters, words.Options, words.Namespace));
    }

    [Fact]
    public void A_namespace_is_named() => Assert.Equal("/proc/7/fd/4",
        HelperWords.Parse(["none", "/x", "-o", "ro", "-N", "/proc/7/fd/4"], MountHelper.Letters, 2, out _)!.Namespace);

    [Theory]
    [InlineData("none", "a word is missing")]
    [InlineData("none /x /y", "'/y' is one word too many")]
    [InlineData("none /x -z", "'-z' is not known")]
    [InlineData("none /x -o", "-o needs a value")]
    [InlineData("none ", "DIR is empty")]
    [InlineData(" /x", "SPEC is empty; give any word, as none")]
    public void A_wrong_one_is_refused(string line, string problem)
    {
        Assert.Null(HelperWords.Parse(line.Split(' '), MountHelper.Letters, 2, out var said));
        Assert.Equal(problem, said);
    }

    [Theory]
    [InlineData("/mnt/x", "/run/tmem/mount-mnt-x.sock")]
    [InlineData("/", "/run/tmem/mount--.sock")]
    [InlineData("/mnt/a b-c/.d", @"/run/tmem/mount-mnt-a\x20b\x2dc-.d.sock")]
    public void A_socket_is_named_after_the_mount_point(string mountPoint, string socket) =>
        Assert.Equal(socket, MountSocket.Of(mountPoint));

    [Fact]
    public void Different_mount_points_have_different_sockets_however_long_they_are() =>
        Gen.Select(Gen.Char["a/-.\\é"].Array[1, 200], Gen.Char["a/-.\\é"].Array[1, 200]).Sample((one, other) =>
        {
            var (first, second) = (Path.GetFullPath("/" + new string(one)), Path.GetFullPath("/" + new string(other)));
            Assert.InRange(Encoding.UTF8.GetByteCount(MountSocket.Of(first)), 1, ControlProtocol.LongestSocketPath);
            Assert.Equal(first.Trim('/') == second.Trim('/'), MountSocket.Of(first) == MountSocket.Of(second));
        });

    [Theory]
    [InlineData("no room for it", "2026-01-01T00:00:00.000Z warning w.\n2026-01-01T00:00:00.000Z error no room for it.\n"
        + "2026-01-01T00:00:00.001Z info ended")]
    [InlineData("a: b", "<4>w\n<3>a: b.")]
    [InlineData("capacity: '9T' is more", "tmemd: --capacity: '9T' is more; see tmemd --help")]
    [InlineData(null, "")]
    [InlineData(null, "2026-01-01T00:00:00.000Z info started")]
    [InlineData("w", "2026-01-01T00:00:00.000Z warning w.\n<6>started\n2026-01-01T00:00:00.001Z info served")]
    public void Of_what_a_daemon_says_the_error_is_shown(string? chosen, string said) =>
        Assert.Equal(chosen, StartLine.Choose(said.Split('\n', StringSplitOptions.RemoveEmptyEntries)));

    [Fact]
    public void A_name_that_is_no_helper_is_none()
    {
        Assert.False(Helpers.TryRun("/usr/bin/tmemctl", ["status"], TextWriter.Null, TextWriter.Null, out _));
        Assert.False(Helpers.TryRun("mount.tmemctl", [], TextWriter.Null, TextWriter.Null, out _));
    }

    [Theory]
    [InlineData("/sbin/mount.tmem", "mount.tmem: a word is missing; mount.tmem SPEC DIR ")]
    [InlineData("umount.fuse.tmem", "umount.fuse.tmem: a word is missing; umount.fuse.tmem DIR ")]
    public void A_helper_without_words_says_how_it_is_used(string name, string said)
    {
        using var error = new StringWriter();
        Assert.True(Helpers.TryRun(name, [], TextWriter.Null, error, out var exit));
        Assert.Equal(HelperExit.Usage, exit);
        Assert.StartsWith(said, error.ToString(), StringComparison.Ordinal);
        Assert.Single(error.ToString().TrimEnd('\n').Split('\n'));
    }
}
