using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>Nothing waits for the reader of the log: neither the process that serves nor its replacement.</summary>
public class LogTests
{
    /// <summary>
    /// A terminal whose output is stopped, as by Ctrl-S, as standard output and standard error; a process that ends with the
    /// daemon holds it.
    /// </summary>
    private const string StoppedTerminal = """
        exec python3 -c '
        import os, pty, sys, termios, time
        master, slave = pty.openpty()
        daemon = os.getpid()
        if os.fork() == 0:
            os.setsid()
            for standard in (0, 1, 2): os.close(standard)
            while os.getppid() == daemon: time.sleep(0.1)
            os._exit(0)
        termios.tcflow(slave, termios.TCOOFF)
        os.dup2(slave, 1); os.dup2(slave, 2)
        os.execv(sys.argv[1], sys.argv[1:])' "$@"
        """;

    /// <summary>What logrotate's copytruncate does (docs/operations.md): the lines continue at the file's beginning.</summary>
    [Fact]
    public void A_log_that_is_appended_to_may_be_cut_short_meanwhile()
    {
        Requires.Machine();
        var folder = Daemon.NewFolder();
        var log = Path.Combine(folder, "log");
        try
        {
            using (var daemon = Daemon.StartBy($"exec \"$@\" 2>>'{log}'"))
            {
                Await("serving ");
                File.Copy(log, log + ".1");
                using (var file = new FileStream(log, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) file.SetLength(0);
                Syscall.kill(daemon.Worker, Signum.SIGKILL);
                Await("was killed by SIGKILL");
                Assert.StartsWith("20", File.ReadAllText(log), StringComparison.Ordinal);
                Assert.DoesNotContain("\0", File.ReadAllText(log), StringComparison.Ordinal);
                daemon.Stop();
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        void Await(string text)
        {
            for (var tries = 0; !File.ReadAllText(log).Contains(text, StringComparison.Ordinal) && tries < 500; tries++)
                Thread.Sleep(20);
            Assert.Contains(text, File.ReadAllText(log), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_pipe_that_nobody_reads_stops_nothing_and_what_is_lost_is_counted()
    {
        Requires.Machine();
        Requires.Programs("mkfifo");
        var folder = Daemon.NewFolder();
        var pipe = Path.Combine(folder, "pipe");
        Command.Run("mkfifo", pipe).Succeeds();
        var end = Files.Open(pipe, OpenFlags.O_RDWR | OpenFlags.O_NONBLOCK, out _);
        try
        {
            Fill(end);
            using (var daemon = Daemon.StartLoggingTo(pipe, "64M"))
            {
                SurviveAll(daemon);
                // More lines than the pipe between the processes holds.
                var worker = daemon.Worker;
                for (var i = 0; i < 3000; i++)
                {
                    Syscall.kill(worker, (Signum)1);
                    Syscall.kill(daemon.Id, (Signum)10);
                    if (i % 50 == 0) Thread.Sleep(1);
                }
                // The loss of lines may be reported before the lines that the pipe between the processes still held.
                var log = Drain(end, text => text.Contains("lines of the log are lost", StringComparison.Ordinal)
                    && text.Contains("was killed by SIGKILL", StringComparison.Ordinal));
                Assert.Matches(@"\n\S+ warning [0-9]+ lines of the log are lost: nobody took them", log);
                Assert.Contains("was killed by SIGKILL", log, StringComparison.Ordinal);
                daemon.Stop();
                Assert.Contains("is unmounted; ending", Drain(end, text => text.Contains("ending", StringComparison.Ordinal)),
                    StringComparison.Ordinal);
            }
        }
        finally
        {
            Files.Close(end);
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_stopped_terminal_stops_nothing()
    {
        Requires.Machine();
        Requires.Programs("python3");
        using var daemon = Daemon.StartBy(StoppedTerminal);
        SurviveAll(daemon);
        daemon.Stop();
    }

    [Fact]
    public void A_daemon_without_standard_descriptors_serves()
    {
        using var daemon = Daemon.StartBy("exec \"$@\" 0<&- 1>&- 2>&-");
        AssertNowhere(daemon.AwaitAll());
        SurviveAll(daemon);
        // Nobody stands by for ten seconds after a fault.
        AssertNowhere(daemon.Keeper, daemon.Worker);
        daemon.Stop();

        static void AssertNowhere(params int[] processes) => Assert.All(processes, process =>
            Assert.All(new[] { 0, 1 }, standard =>
                Assert.Equal("/dev/null", new FileInfo($"/proc/{process}/fd/{standard}").LinkTarget)));
    }

    /// <summary>Each process dies and is replaced, and another takes over.</summary>
    private static void SurviveAll(Daemon daemon)
    {
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "kept"));
        Syscall.kill(daemon.Worker, Signum.SIGKILL);
        daemon.AwaitRestarts(1);
        daemon.Control("upgrade", "--log", "debug").Succeeds();
        // By a fault of its own: the runtime prints a message too.
        Syscall.kill(daemon.Worker, Signum.SIGABRT);
        daemon.AwaitRestarts(2);
        Assert.Equal("kept", Bounded.Run(() => File.ReadAllText(file)));
        daemon.Control("upgrade", "--log", "info").Succeeds();
    }

    private static unsafe void Fill(int pipe)
    {
        Span<byte> bytes = stackalloc byte[4096];
        bytes.Fill((byte)'\n');
        fixed (byte* start = bytes) while (Syscall.write(pipe, start, 4096) > 0) { }
    }

    private static unsafe string Drain(int pipe, Func<string, bool> isEnough)
    {
        Span<byte> bytes = stackalloc byte[4096];
        var text = new global::System.Text.StringBuilder();
        for (var tries = 0; tries < 500 && !isEnough(text.ToString()); tries++)
        {
            long read;
            fixed (byte* start = bytes)
                while ((read = Syscall.read(pipe, start, 4096)) > 0)
                    text.Append(global::System.Text.Encoding.UTF8.GetString(bytes[..(int)read]));
            Thread.Sleep(10);
        }
        return text.ToString();
    }
}
