using System.Net.Sockets;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// Upgrades that come together, at the wrong moment, or with a program that must not be used: each is answered, and the daemon is
/// intact afterwards.
/// </summary>
public class UpgradeMisuseTests
{
    private const uint Somebody = 4321;

    [Fact]
    public void Many_at_once_are_one_at_a_time_and_the_keeper_keeps()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(file, "here"));
        var until = DateTime.UtcNow.AddSeconds(2);
        var answers = new int[2];
        var saidTwice = 0;
        var clients = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            while (DateTime.UtcNow < until)
            {
                var answer = Ask(daemon.Socket);
                if (answer is not null && answer.Contains("ask again", StringComparison.Ordinal)
                    && answer.Contains("upgrade again", StringComparison.Ordinal)) Interlocked.Increment(ref saidTwice);
                if (answer is not null)
                    Interlocked.Increment(ref answers[answer.Contains("\"result\"", StringComparison.Ordinal) ? 1 : 0]);
            }
        })).ToList();
        clients.ForEach(client => client.Start());
        clients.ForEach(client => client.Join());
        Assert.All(answers, count => Assert.True(count > 0, daemon.Log));
        Assert.Equal(0, saidTwice);
        Assert.Contains("take", daemon.Log, StringComparison.Ordinal);

        // The current program is there for the next death, one worker stands by, and the next upgrade works.
        daemon.Control("upgrade", "--threads", "5").Succeeds();
        Assert.Equal(0, daemon.Figure("processes.restarts"));
        daemon.AwaitAll();
        for (var death = 1; death <= 2; death++) daemon.KillWorker();
        Assert.Equal("here", Bounded.Run(() => File.ReadAllText(file)));
        Assert.Equal(0, daemon.Figure("processes.keeperAllocatedBytes"));
        daemon.Stop();
    }

    [Fact]
    public void Only_a_file_that_root_alone_can_change_is_executed_and_none_on_a_mount_of_ours()
    {
        using var daemon = Daemon.Start("64M");
        string In(string name) => Path.Combine(daemon.Folder, name);
        var pool = daemon.Pool("p");
        Bounded.Run(() => File.Copy(Built.Daemon, Path.Combine(pool, "tmemd")));
        Command.Run("mkfifo", In("fifo")).Succeeds();
        File.Copy(Built.Daemon, In("open"));
        Command.Run("chmod", "0777", In("open")).Succeeds();
        File.Copy(Built.Daemon, In("theirs"));
        Command.Run("chown", $"{Somebody}", In("theirs")).Succeeds();
        Directory.CreateDirectory(In("public"));
        Command.Run("chmod", "0777", In("public")).Succeeds();
        File.Copy(Built.Daemon, In("public/tmemd"));
        File.CreateSymbolicLink(In("link"), Path.Combine(pool, "tmemd"));
        var worker = daemon.Worker;
        foreach (var (path, why) in new[]
        {
            (Path.Combine(pool, "tmemd"), "of this daemon's kind"), (In("link"), "of this daemon's kind"), (In("fifo"),
                "is no regular file"),
            (In("open"), "others may write to"), (In("theirs"), $"belongs to user {Somebody}"),
                (In("public/tmemd"), "others may write to"), ("/dev/zero", "is no regular file"),
            (daemon.Folder, "is a directory"),
        })
        {
            var outcome = daemon.Control("upgrade", "--binary", path);
            Assert.Equal(1, outcome.Code);
            Assert.Contains(why, outcome.All, StringComparison.Ordinal);
            Assert.Equal(worker, daemon.Worker);
        }
        // None of it prevents a takeover after a death, or the next upgrade.
        daemon.KillWorker();
        daemon.Control("upgrade").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_program_that_is_overwritten_after_the_upgrade_is_still_the_one_that_was_named()
    {
        using var daemon = Daemon.Start("64M");
        var copy = daemon.UpgradeToCopy();
        // A running file could not be written to: a copy is what runs.
        File.WriteAllText(copy, "#!/bin/sh\nexit 1\n");
        daemon.KillWorker();
        // Settings alone need the program in use; the file that lies there now does not get ready.
        Assert.Contains("exit code 1", daemon.Control("upgrade", "--threads", "5").All, StringComparison.Ordinal);
        daemon.Stop();
    }

    /// <summary>Sends one request and returns the reply; null if the worker went away.</summary>
    private static string? Ask(string path)
    {
        try
        {
            using var peer = new Conversation(path);
            return peer.Ask("upgrade") is { Length: > 0 } answer ? answer : null;
        }
        catch (SocketException error) when (error.SocketErrorCode != SocketError.TimedOut)
        {
            return null;
        }
    }
}
