using System.Diagnostics;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>
/// Another mount hangs, and a process has a file of it open: a search for the holders of our own mount passes it by.
/// </summary>
public sealed class HungNeighbourTests : IDisposable
{
    private readonly Daemon _neighbour;
    private readonly Process _holder;
    private readonly int _worker;

    public HungNeighbourTests()
    {
        Requires.Machine();
        Requires.Programs("sleep", "sh");
        _neighbour = Daemon.Start("64M");
        // The kernel caches no attributes of a file without blocks: it asks each time.
        var file = Path.Combine(_neighbour.Pool("p"), "empty");
        _holder = Process.Start("sh", ["-c", $"exec sleep 600 >'{file}'"]);
        Assert.True(SpinWait.SpinUntil(() => File.Exists(file), TimeSpan.FromSeconds(20)));
        _worker = _neighbour.Worker;
        Syscall.kill(_worker, Signum.SIGSTOP);
        Daemon.AwaitState(_worker, 'T');
    }

    public void Dispose()
    {
        Syscall.kill(_worker, Signum.SIGCONT);
        _holder.Kill();
        _holder.WaitForExit();
        _holder.Dispose();
        _neighbour.Stop();
        _neighbour.Dispose();
    }

    [Fact]
    public void A_daemon_beside_it_stops()
    {
        using var daemon = Daemon.Start("64M");
        File.WriteAllText(Path.Combine(daemon.Pool("p"), "file"), "contents");
        daemon.Stop();
    }

    [Fact]
    public void A_holder_is_found_beside_it_and_named()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "file");
        File.WriteAllText(file, "contents");
        using (File.OpenRead(file))
        {
            var refused = daemon.Control("stop", "--force");
            Assert.Equal(1, refused.Code);
            Assert.Contains($"process {Environment.ProcessId}", refused.Errors, StringComparison.Ordinal);
        }
        daemon.Stop();
    }

    [Fact]
    public void A_dead_mount_is_recovered_beside_it()
    {
        using var daemon = Daemon.Start("64M");
        daemon.KillBoth();
        Command.RunFor(60, Built.Control, "--socket", daemon.Socket, "recover", "--mount", daemon.Mount).Succeeds();
        Assert.DoesNotContain(daemon.Mount, File.ReadAllText("/proc/mounts"), StringComparison.Ordinal);
    }
}
