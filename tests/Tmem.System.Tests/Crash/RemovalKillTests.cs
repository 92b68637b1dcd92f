using System.Globalization;
using System.Text.RegularExpressions;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// A worker is killed during the removal of a pool with many files. Its successor serves with nearly all of them there, as it
/// says when it begins, and continues the removal beside that.
/// </summary>
public partial class RemovalKillTests
{
    private const int Names = 30_000;
    private const int Directories = 20;

    [Fact]
    public async Task A_removal_that_is_killed_is_gone_on_with_beside_what_the_next_worker_serves()
    {
        using var daemon = Daemon.Start("256M");
        using var prober = new Prober(Path.Combine(daemon.Pool("kept"), "probe"));
        var empty = Inodes(daemon);
        var pool = daemon.Pool("many");
        Bounded.Run(() => Fill(pool), 300);
        // The kernel forgets the files, so that each goes with its name.
        Command.RunFor(60, "mount", "-i", "-o", "remount", daemon.Mount).Succeeds();
        var all = Inodes(daemon);
        Assert.Equal(empty + 1 + Directories + Names, all);
        daemon.AwaitAll();

        var worker = daemon.Worker;
        var removal = Task.Run(() => daemon.Control("pool", "destroy", "many", "--force"));
        long left;
        while ((left = Inodes(daemon)) > all - 500) Assert.False(removal.IsCompleted, "nothing was removed");
        Assert.Equal(0, Syscall.kill(worker, Signum.SIGKILL));
        Assert.NotEqual(0, (await removal).Code);
        prober.AwaitRound();
        daemon.AwaitRestarts(1);
        // The successor logs how many it found when it was ready to serve.
        var found = CutShort().Matches(daemon.Log);
        Assert.True(found.Count == 1, daemon.Log);
        Assert.InRange(long.Parse(found[0].Groups[1].ValueSpan, CultureInfo.InvariantCulture), left / 2, left);

        // Another kill is as harmless, and so is an upgrade.
        daemon.KillWorker();
        daemon.Control("upgrade").Succeeds();
        daemon.Control("pool", "create", "many").Succeeds();
        for (var tries = 0; Inodes(daemon) > empty + 1; tries++)
        {
            Assert.True(tries < 600, $"{Inodes(daemon)} inodes are left\n{daemon.Log}");
            Thread.Sleep(50);
        }
        Assert.Equal(empty + 1, Inodes(daemon));
        Assert.Null(prober.Problem);
        prober.Dispose();
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    private static void Fill(string pool)
    {
        for (var directory = 0; directory < Directories; directory++)
        {
            var path = Path.Combine(pool, $"d{directory}");
            Directory.CreateDirectory(path);
            for (var i = 0; i < Names / Directories; i++)
                Assert.Equal(0, Syscall.mknod(Path.Combine(path, $"{i}"), FilePermissions.S_IFREG | FilePermissions.S_IRUSR, 0));
        }
    }

    /// <summary>Files and directories, as df -i counts them.</summary>
    private static long Inodes(Daemon daemon) => Bounded.Run(() =>
    {
        Assert.Equal(0, Syscall.statvfs(daemon.Mount, out var figures));
        return (long)(figures.f_files - figures.f_ffree);
    });

    [GeneratedRegex("a removal was cut short: .*, files and directories that are there yet: ([0-9]+)")]
    private static partial Regex CutShort();
}
