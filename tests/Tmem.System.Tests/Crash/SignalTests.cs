using System.Runtime.InteropServices;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// No signal ends a process of a daemon by default action: a stop is an orderly end however often it is sent, any other signal is
/// logged and ignored.
/// </summary>
public partial class SignalTests
{
    private static readonly Signum[] s_stops = [Signum.SIGTERM, Signum.SIGINT, Signum.SIGQUIT];

    /// <summary>
    /// HUP USR1 USR2 PIPE ALRM STKFLT CHLD CONT TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR, and some real-time ones.
    /// </summary>
    private static readonly int[] s_harmless =
        [1, 10, 12, 13, 14, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 35, 50, 64];

    [Fact]
    public void Two_stop_signals_a_moment_apart_are_one_orderly_end()
    {
        Requires.Machine();
        var random = new Random(3);
        for (var round = 0; round < 6; round++)
        {
            using var daemon = Daemon.Start("64M");
            daemon.Pool("p");
            var all = round % 2 == 0 ? daemon.AwaitAll() : [daemon.Id, daemon.Worker];
            // As a service manager does: each process of the group gets it; and as an impatient user does.
            foreach (var process in all) Syscall.kill(process, s_stops[round % s_stops.Length]);
            for (var more = 0; more < 20; more++)
            {
                foreach (var process in all) Syscall.kill(process, s_stops[random.Next(s_stops.Length)]);
                Thread.Sleep(TimeSpan.FromMilliseconds(random.NextDouble() * 2));
            }
            Assert.True(daemon.WaitForEnd(30), daemon.Log);
            Assert.True(daemon.ExitCode == 0, $"round {round}: exit code {daemon.ExitCode}\n{daemon.Log}");
            Assert.Empty(MachineState.Of(daemon.Folder));
            Assert.DoesNotContain("nhandled", daemon.Log, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Harmless_signals_at_any_time_end_no_process()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "here"));
        var random = new Random(5);
        var worker = daemon.Worker;
        for (var round = 0; round < 4; round++)
        {
            // From before a process's first instruction: a killed process is followed by one that starts, and that one by a
            // stand-by.
            if (round > 0) Syscall.kill(worker, Signum.SIGKILL);
            for (var sent = 0; sent < 400; sent++)
            {
                foreach (var process in Children(daemon.Id).Append(daemon.Id))
                    _ = kill(process, s_harmless[random.Next(s_harmless.Length)]);
                if (sent % 8 == 0) Thread.Sleep(1);
            }
            daemon.AwaitRestarts(round);
            worker = daemon.Worker;
            Assert.Equal(round, daemon.Figure("processes.restarts"));
            Assert.Equal("here", Bounded.Run(() => File.ReadAllText(file)));
        }
        Assert.Equal(0, daemon.Figure("processes.keeperAllocatedBytes"));
        Assert.Contains("SIGUSR1 (10): nothing to do; keeping on", daemon.Log, StringComparison.Ordinal);
        Assert.Contains("nothing to do; serving on", daemon.Log, StringComparison.Ordinal);
        daemon.Stop();
    }

    [Fact]
    public void A_stop_that_the_one_who_stands_by_got_is_not_carried_out_when_its_turn_comes()
    {
        using var daemon = Daemon.Start("64M");
        daemon.Pool("p");
        var all = daemon.AwaitAll();
        Syscall.kill(all[2], Signum.SIGTERM);
        Syscall.kill(all[1], Signum.SIGKILL);
        daemon.AwaitRestarts(1);
        daemon.Control("pool", "show", "p").Succeeds();
        Assert.True(daemon.IsAlive, daemon.Log);
        daemon.Stop();
    }

    [Fact]
    public void A_stop_that_a_worker_has_not_read_when_it_dies_is_carried_out_by_the_next()
    {
        using var daemon = Daemon.Start("64M");
        daemon.Pool("p");
        var worker = daemon.AwaitAll()[1];
        Syscall.kill(worker, Signum.SIGSTOP);
        Daemon.AwaitState(worker, 'T');
        daemon.Signal(Signum.SIGTERM);
        for (var tries = 0; !Waits(worker, Signum.SIGTERM); tries++, Thread.Sleep(20)) Assert.True(tries < 500, daemon.Log);
        Syscall.kill(worker, Signum.SIGKILL);
        Assert.True(daemon.WaitForEnd(30), daemon.Log);
        Assert.Equal(0, daemon.ExitCode);
        Assert.Empty(MachineState.Of(daemon.Folder));
    }

    [Fact]
    public void A_stop_that_was_refused_is_not_asked_for_again_when_the_worker_dies()
    {
        using var daemon = Daemon.Start("64M");
        var path = Path.Combine(daemon.Pool("p"), "f");
        using (Bounded.Run(() => File.Create(path)))
        {
            daemon.Signal(Signum.SIGTERM);
            daemon.AwaitLog("serving on: ");
        }
        daemon.KillWorker();
        daemon.AwaitAll();
        daemon.Control("check").Succeeds();
        Assert.True(daemon.IsAlive, daemon.Log);
        daemon.Stop();
    }

    /// <summary>The worker finds both when it continues, and whichever it reads first, the daemon ends.</summary>
    [Fact]
    public async Task A_stop_amid_an_upgrade_is_carried_out_by_the_one_or_the_other()
    {
        for (var round = 0; round < 2; round++)
        {
            using var daemon = Daemon.Start("64M");
            daemon.Pool("p");
            var all = daemon.AwaitAll();
            var upgrade = Task.Run(() => daemon.Control("upgrade"), TestContext.Current.CancellationToken);
            while (Children(daemon.Id).All(all.Contains)) Thread.Yield();
            Syscall.kill(all[1], Signum.SIGSTOP);
            Daemon.AwaitState(all[1], 'T');
            daemon.Signal(Signum.SIGTERM);
            // The successor usually gets ready meanwhile, and the worker is told to give way.
            Thread.Sleep(300);
            Syscall.kill(all[1], Signum.SIGCONT);
            Assert.True(daemon.WaitForEnd(60), daemon.Log);
            Assert.Equal(0, daemon.ExitCode);
            Assert.Empty(MachineState.Of(daemon.Folder));
            await upgrade;
        }
    }

    /// <summary>Whether a signal is pending for a process.</summary>
    private static bool Waits(int process, Signum signal) =>
        (Convert.ToUInt64(File.ReadLines($"/proc/{process}/status")
            .First(line => line.StartsWith("ShdPnd:", StringComparison.Ordinal))[7..].Trim(), 16) >> (int)signal - 1 & 1) != 0;

    /// <summary>Mono does not know real-time signals.</summary>
    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);

    private static int[] Children(int process)
    {
        try
        {
            return [.. File.ReadAllText($"/proc/{process}/task/{process}/children")
                .Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
        }
        catch (IOException)
        {
            return [];
        }
    }
}
