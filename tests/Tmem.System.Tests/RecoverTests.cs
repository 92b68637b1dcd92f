using System.Diagnostics;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>What <c>tmemctl recover</c> leaves alone: everything that it has not proven to be its own and dead.</summary>
public sealed class RecoverTests
{
    [Fact]
    public void A_daemon_that_stands_still_and_cannot_be_seen_from_here_is_not_touched()
    {
        Requires.Programs("unshare");
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "file");
        File.WriteAllText(file, "contents");
        var worker = daemon.Worker;
        Syscall.kill(worker, Signum.SIGSTOP);
        try
        {
            // In a PID namespace of its own no process of the daemon exists.
            var outcome = Command.RunFor(60, "unshare", "--pid", "--fork", "--mount-proc", Built.Control, "--socket",
                daemon.Socket, "recover", "--mount", daemon.Mount);
            Assert.Equal(1, outcome.Code);
            Assert.Contains("is not known to be dead: not touched", outcome.Output, StringComparison.Ordinal);
        }
        finally
        {
            Syscall.kill(worker, Signum.SIGCONT);
        }
        Assert.Equal("contents", Bounded.Run(() => File.ReadAllText(file)));
        daemon.Stop();
    }

    [Fact]
    public void A_process_of_the_daemons_name_with_a_device_open_does_not_keep_a_dead_mount()
    {
        using var daemon = Daemon.Start("64M");
        var likeIt = Path.Combine(daemon.Folder, "tmemd-like");
        File.Copy("/bin/sleep", likeIt);
        Command.Run("chmod", "0755", likeIt).Succeeds();
        var info = new ProcessStartInfo("sh") { ArgumentList = { "-c", $"exec 3<>/dev/fuse; exec {likeIt} 60" } };
        using var stranger = Process.Start(info)!;
        try
        {
            daemon.KillBoth();
            var outcome = Recover(daemon, daemon.Socket);
            Assert.True(outcome.Code == 0, outcome.All);
            Assert.Contains($"unmounted {daemon.Mount}", outcome.Output, StringComparison.Ordinal);
            Assert.False(MachineState.IsMounted(daemon.Mount));
        }
        finally
        {
            stranger.Kill();
            stranger.WaitForExit();
        }
    }

    [Fact]
    public void A_file_that_is_named_as_the_socket_and_a_mount_over_the_dead_one_stay()
    {
        using var daemon = Daemon.Start("64M");
        var precious = Path.Combine(daemon.Folder, "precious");
        File.WriteAllText(precious, "data");
        daemon.KillBoth();
        Command.Run("mount", "-t", "tmpfs", "over", daemon.Mount).Succeeds();
        try
        {
            var outcome = Recover(daemon, precious);
            Assert.Equal(1, outcome.Code);
            Assert.Contains("is no socket: not touched", outcome.Output, StringComparison.Ordinal);
            Assert.Contains("a tmpfs file system is mounted over it", outcome.Output, StringComparison.Ordinal);
            Assert.Equal("data", File.ReadAllText(precious));
        }
        finally
        {
            Command.Run("umount", daemon.Mount).Succeeds();
        }
        Recover(daemon, daemon.Socket).Succeeds();
        Assert.False(MachineState.IsMounted(daemon.Mount));
        Assert.False(File.Exists(daemon.Socket));
    }

    [Fact]
    public void Swap_that_was_turned_on_in_a_mount_namespace_that_is_gone_goes_too()
    {
        Requires.Machine();
        Requires.Swap();
        using var daemon = Daemon.Start("64M");
        Command.Run("unshare", "--mount", "--propagation", "private", Built.Control, "--socket", daemon.Socket, "swap", "on",
            "--size", "16M", "--priority", "1").Succeeds();
        var swaps = File.ReadAllLines("/proc/swaps").Length;
        daemon.KillBoth();
        var outcome = Recover(daemon, daemon.Socket);
        Assert.True(outcome.Code == 0, outcome.All);
        Assert.Contains("turned swap on /dev/loop", outcome.Output, StringComparison.Ordinal);
        Assert.Equal(swaps - 1, File.ReadAllLines("/proc/swaps").Length);
        Assert.False(MachineState.IsMounted(daemon.Mount));
    }

    private static Outcome Recover(Daemon daemon, string socket) =>
        Command.RunFor(60, Built.Control, "--socket", socket, "recover", "--mount", daemon.Mount);
}
