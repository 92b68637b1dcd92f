using System.Diagnostics;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>
/// A process hangs in the kernel, in execve while it closes a file of another mount: whoever reads its maps in /proc waits as
/// long. It holds up no search for those who use our own mount, and is no reason to refuse anything.
/// </summary>
public sealed class HungExecTests : IDisposable
{
    private readonly Daemon _neighbour;
    private readonly Process _process;
    private readonly int[] _stopped;

    public HungExecTests()
    {
        Requires.Machine();
        Requires.Programs("python3", "cat", "ls");
        _neighbour = Daemon.Start("64M");
        // Python marks its descriptors to be closed by an exec.
        var script = "import os, sys\n"
            + $"f = os.open('{_neighbour.Pool("p")}/file', os.O_WRONLY | os.O_CREAT)\n"
            + "os.write(f, b'contents')\nprint(flush=True)\nsys.stdin.readline()\nos.execv('/bin/true', ['true'])";
        _process = Process.Start(new ProcessStartInfo("python3", ["-c", script])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        })!;
        _process.StandardOutput.ReadLine();
        // The keeper first: it would replace the worker.
        _stopped = [_neighbour.Id, _neighbour.Worker];
        foreach (var one in _stopped)
        {
            Syscall.kill(one, Signum.SIGSTOP);
            Daemon.AwaitState(one, 'T');
        }
        _process.StandardInput.WriteLine();
        while (Command.RunFor(1, "cat", $"/proc/{_process.Id}/maps").Code == 0)
            Assert.False(_process.WaitForExit(20), "the process does not hang");
    }

    public void Dispose()
    {
        foreach (var one in _stopped) Syscall.kill(one, Signum.SIGCONT);
        Assert.True(_process.WaitForExit(TimeSpan.FromMinutes(1)), "the process still hangs");
        _process.Dispose();
        _neighbour.Stop();
        _neighbour.Dispose();
    }

    [Fact]
    public void A_daemon_beside_it_stops()
    {
        using var daemon = Daemon.Start("64M");
        File.WriteAllText(Path.Combine(daemon.Pool("p"), "file"), "contents");
        daemon.Stop();
        Assert.Contains($"process {_process.Id} (python3) does not answer", daemon.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_holder_is_found_beside_it_and_named_alone_and_requests_are_served_meanwhile()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "file");
        File.WriteAllText(file, "contents");
        using (File.OpenRead(file))
        {
            foreach (var command in (string[][])[["stop", "--force"], ["pool", "destroy", "p", "--force"]])
            {
                var asked = Task.Run(() => daemon.Control(command));
                while (!asked.IsCompleted) Command.RunFor(20, "ls", "-l", Path.Combine(daemon.Mount, "p")).Succeeds();
                var refused = await asked;
                Assert.Equal(1, refused.Code);
                Assert.Contains($"process {Environment.ProcessId}", refused.Errors, StringComparison.Ordinal);
                Assert.DoesNotContain($"process {_process.Id}", refused.Errors, StringComparison.Ordinal);
            }
        }
        daemon.Stop();
    }

    /// <summary>The thread that a search has left behind keeps its process from nothing.</summary>
    [Fact]
    public void A_worker_that_waits_for_it_is_replaced()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "file");
        File.WriteAllText(file, "contents");
        using (File.OpenRead(file)) Assert.Equal(1, daemon.Control("stop", "--force").Code);
        daemon.UpgradeToCopy();
        Assert.Equal("contents", File.ReadAllText(file));
        daemon.Stop();
    }
}
