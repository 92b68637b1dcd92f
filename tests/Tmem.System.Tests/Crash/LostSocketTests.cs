using System.Net.Sockets;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// A daemon whose socket was removed makes it anew on SIGHUP, whichever of its processes gets the signal, and the next worker
/// listens on it; another file that has the name by then stays.
/// </summary>
public class LostSocketTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void On_a_hang_up_signal_the_daemon_can_be_managed_again_and_after_deaths_and_an_upgrade_too(bool toKeeper)
    {
        using var daemon = Daemon.Start("64M");
        var all = daemon.AwaitAll();
        using var conversation = new Conversation(daemon.Socket);
        Assert.Contains("result", conversation.Ask("status"), StringComparison.Ordinal);
        File.Delete(daemon.Socket);
        Assert.Equal(3, daemon.Control("status").Code);

        Syscall.kill(toKeeper ? all[0] : all[1], Signum.SIGHUP);
        daemon.AwaitLog("was gone, and was made anew");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(daemon.Socket));
        Assert.Equal(all, daemon.AwaitAll());
        Assert.Contains("result", conversation.Ask("status"), StringComparison.Ordinal);

        // The stand-by, one that was started after it, one of an upgrade, and one that a new keeper starts.
        daemon.KillWorker();
        daemon.AwaitAll();
        daemon.KillWorker();
        daemon.UpgradeToCopy();
        Syscall.kill((int)daemon.Figure("processes.keeperPid"), Signum.SIGKILL);
        daemon.Control("adopt").Succeeds();
        daemon.KillWorker();
        daemon.Control("check").Succeeds();
        daemon.Control("stop", "--force").Succeeds();
        daemon.AwaitNothing();
        Assert.False(File.Exists(daemon.Socket));
    }

    [Fact]
    public void A_worker_without_a_keeper_gives_the_socket_to_the_keeper_that_it_starts()
    {
        using var daemon = Daemon.Start("64M");
        var all = daemon.AwaitAll();
        Syscall.kill(all[0], Signum.SIGKILL);
        File.Delete(daemon.Socket);
        Syscall.kill(all[1], Signum.SIGHUP);
        daemon.AwaitLog("was gone, and was made anew");
        daemon.Control("adopt").Succeeds();
        Assert.NotEqual(all[0], daemon.AwaitAll()[0]);
        daemon.KillWorker();
        daemon.KillWorker();
        daemon.Control("stop", "--force").Succeeds();
        daemon.AwaitNothing();
    }

    [Fact]
    public void One_that_came_while_nobody_served_is_not_lost()
    {
        using var daemon = Daemon.Start("64M");
        var worker = daemon.AwaitAll()[1];
        daemon.StopKeeper();
        File.Delete(daemon.Socket);
        daemon.Signal(Signum.SIGHUP);
        Syscall.kill(worker, Signum.SIGKILL);
        daemon.Continue();
        daemon.AwaitLog("was gone, and was made anew");
        daemon.AwaitRestarts(1);
        daemon.Stop();
    }

    [Fact]
    public void A_socket_that_is_there_is_left_alone()
    {
        using var daemon = Daemon.Start("64M");
        Assert.Equal(0, Syscall.lstat(daemon.Socket, out var before));
        daemon.Signal(Signum.SIGHUP);
        daemon.AwaitLog($"SIGHUP (1): control socket {daemon.Socket} is there; nothing to do");
        Assert.Equal(0, Syscall.lstat(daemon.Socket, out var after));
        Assert.Equal(before.st_ino, after.st_ino);
        daemon.Stop();
    }

    [Fact]
    public void What_else_has_the_name_stays_until_it_is_moved_away()
    {
        using var daemon = Daemon.Start("64M");
        daemon.AwaitAll();
        File.Delete(daemon.Socket);
        File.WriteAllText(daemon.Socket, "somebody's");
        daemon.Signal(Signum.SIGHUP);
        daemon.AwaitLog($"{daemon.Socket}: something that is not a socket has this name; remove it and send SIGHUP again");
        Assert.Equal("somebody's", File.ReadAllText(daemon.Socket));

        File.Delete(daemon.Socket);
        Directory.CreateDirectory(daemon.Folder + "/elsewhere");
        File.CreateSymbolicLink(daemon.Socket, daemon.Folder + "/elsewhere/sock");
        daemon.Signal(Signum.SIGHUP);
        daemon.AwaitLog("has this name; remove it and send SIGHUP again", 2);
        Assert.Empty(Directory.GetFileSystemEntries(daemon.Folder + "/elsewhere"));

        File.Delete(daemon.Socket);
        using (var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            other.Bind(new UnixDomainSocketEndPoint(daemon.Socket));
            other.Listen();
            daemon.Signal(Signum.SIGHUP);
            daemon.AwaitLog($"serves it already; stop it with 'tmemctl --socket {daemon.Socket} stop', and send SIGHUP again");
            Assert.True(File.Exists(daemon.Socket));
            Assert.True(other.Poll(0, SelectMode.SelectRead));
            // Nor does it go with this daemon.
            daemon.Signal(Signum.SIGTERM);
            Assert.True(daemon.WaitForEnd(30), daemon.Log);
            Assert.True(File.Exists(daemon.Socket));
        }
        Assert.Equal(0, daemon.ExitCode);
    }

    [Fact]
    public void One_that_nobody_listens_on_is_replaced()
    {
        using var daemon = Daemon.Start("64M");
        File.Move(daemon.Socket, daemon.Socket + ".away");
        using (var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            other.Bind(new UnixDomainSocketEndPoint(daemon.Socket + ".left"));
            File.Move(daemon.Socket + ".left", daemon.Socket);
        }
        daemon.Signal(Signum.SIGHUP);
        daemon.AwaitLog("was gone, and was made anew");
        daemon.Control("status").Succeeds();
        // A client connected through the old socket is not left waiting.
        Assert.Contains("nobody listens", Command.RunFor(60, Built.Control, "--socket", daemon.Socket + ".away", "status").All,
            StringComparison.Ordinal);
        daemon.Stop();
    }
}
