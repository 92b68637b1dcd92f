using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>
/// What other users get from the socket of a daemon with a group: its members figures and no change, all others nothing; through
/// the death of a worker, and with a socket that was made anew.
/// </summary>
public class SocketGroupTests
{
    /// <summary>A group and a user of no account, and so nobody's.</summary>
    private const string Group = "54321", User = "54322";

    [Fact]
    public void Members_ask_for_figures_and_only_root_changes_anything()
    {
        Requires.Programs("setpriv");
        Requires.Machine();
        var folder = Daemon.NewFolder();
        Syscall.chmod(folder, FilePermissions.S_IRWXU | FilePermissions.S_IXOTH);
        using var daemon = Daemon.Start("64M", folder, "--socket-group", Group);
        daemon.Pool("p");
        Examine(daemon);
        daemon.KillWorker();
        Examine(daemon);
        File.Delete(daemon.Socket);
        daemon.Signal(Signum.SIGHUP);
        daemon.AwaitLog("was made anew");
        Examine(daemon);

        // With any mode, the daemon decides.
        Syscall.chmod(daemon.Socket, (FilePermissions)0x1B6); // 0666
        var stranger = As(daemon, "54323", "status");
        Assert.Equal(1, stranger.Code);
        Assert.Contains("user 54322 may not manage this daemon", stranger.All, StringComparison.Ordinal);
        Assert.Contains($"members of group {Group} may ask for figures", stranger.All, StringComparison.Ordinal);
        daemon.Control("pool", "create", "q").Succeeds();
        Assert.Contains("info control: user 0, process ", daemon.Log, StringComparison.Ordinal);
        Assert.Contains("(tmemctl): pool.create {\"name\":\"q\"", daemon.Log, StringComparison.Ordinal);
        daemon.Stop();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_group_that_cannot_enter_the_directory_is_refused_at_the_start()
    {
        Requires.Machine();
        var folder = Daemon.NewFolder();
        Directory.CreateDirectory(Path.Combine(folder, "mnt"));
        Syscall.chmod(folder, FilePermissions.S_IRWXU);
        var start = Command.RunFor(20, Built.Daemon, "--mount", Path.Combine(folder, "mnt"), "--capacity", "64M",
            "--socket", Path.Combine(folder, "sock"), "--socket-group", Group);
        Assert.Equal(1, start.Code);
        Assert.Contains($"group {Group} cannot enter {folder}; let it, with 'chmod o+x {folder}'", start.All,
            StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(folder, "sock")));
        Directory.Delete(folder, recursive: true);
    }

    private static void Examine(Daemon daemon)
    {
        Assert.Equal(0, Syscall.lstat(daemon.Socket, out var file));
        Assert.Equal(Group, $"{file.st_gid}");
        Assert.Equal(0x1B0u, (uint)file.st_mode & 0xFFF); // 0660
        Assert.Contains(daemon.Mount, As(daemon, Group, "status").Succeeds().Output, StringComparison.Ordinal);
        As(daemon, Group, "pool", "list").Succeeds();
        As(daemon, Group, "pool", "show", "p").Succeeds();
        As(daemon, Group, "swap", "status").Succeeds();
        As(daemon, Group, "top", "--once").Succeeds();
        Assert.Contains("\ntmem_protected 1\n", As(daemon, Group, "metrics").Succeeds().Output, StringComparison.Ordinal);
        // As a supplementary group too.
        Run(daemon, "54323", $"--groups={Group}", ["status"]).Succeeds();
        foreach (var verb in (string[][])[["pool", "create", "q"], ["pool", "destroy", "p"], ["stop"], ["check"], ["upgrade"],
            ["adopt"], ["pool", "reserve", "p", "1M"]])
        {
            var refused = As(daemon, Group, verb);
            Assert.Equal(1, refused.Code);
            Assert.Contains($"user {User} may ask this daemon for figures alone", refused.All, StringComparison.Ordinal);
            Assert.Contains("is for root and the daemon's own user; run as root", refused.All, StringComparison.Ordinal);
        }
        Assert.Contains($"warning control: user {User}, process ", daemon.Log, StringComparison.Ordinal);
        // Of another group: the mode of the file is in the way.
        Assert.Equal(3, As(daemon, "54323", "status").Code);
        Assert.True(Directory.Exists(Path.Combine(daemon.Mount, "p")));
        Assert.False(Directory.Exists(Path.Combine(daemon.Mount, "q")));
    }

    private static Outcome As(Daemon daemon, string group, params string[] verb) =>
        Run(daemon, group, "--clear-groups", verb);

    private static Outcome Run(Daemon daemon, string group, string groups, string[] verb)
    {
        // Where root alone may look, another user finds no program.
        var copy = Path.Combine(daemon.Folder, "tmemctl");
        if (!File.Exists(copy)) File.Copy(Built.Control, copy);
        return Command.RunFor(60, "setpriv",
            [$"--reuid={User}", $"--regid={group}", groups, copy, "--socket", daemon.Socket, .. verb]);
    }
}
