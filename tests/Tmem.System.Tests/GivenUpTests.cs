using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>A command whose caller was told that it failed is not carried out later.</summary>
public sealed class GivenUpTests
{
    private const int OutcomeUnknown = 5;

    [Fact]
    public void What_was_given_up_while_the_worker_stood_still_is_not_done_when_it_goes_on()
    {
        using var daemon = Daemon.Start("64M");
        File.WriteAllText(Path.Combine(daemon.Pool("kept"), "file"), "contents");
        var worker = daemon.Worker;
        Syscall.kill(worker, Signum.SIGSTOP);
        try
        {
            foreach (var command in new string[][] { ["pool", "destroy", "kept", "--force"], ["pool", "create", "unwanted"],
                ["upgrade"], ["stop"] })
            {
                var outcome = daemon.Control([.. command, "--timeout", "0.5"]);
                Assert.Equal(OutcomeUnknown, outcome.Code);
                Assert.Contains("and if not, it never will", outcome.Errors, StringComparison.Ordinal);
            }
            Assert.Equal(3, daemon.Control("status", "--timeout", "0.5").Code);
        }
        finally
        {
            Syscall.kill(worker, Signum.SIGCONT);
        }
        // In the order of the socket's queue: this one comes after all of them.
        var pools = daemon.Control("pool", "list").Succeeds().Output;
        Assert.Contains("kept", pools, StringComparison.Ordinal);
        Assert.DoesNotContain("unwanted", pools, StringComparison.Ordinal);
        Assert.Equal((worker, 0L), (daemon.Worker, daemon.Figure("processes.upgrades")));
        Assert.Equal("contents", Bounded.Run(() => File.ReadAllText(Path.Combine(daemon.Mount, "kept", "file"))));
        daemon.Stop();
    }
}
