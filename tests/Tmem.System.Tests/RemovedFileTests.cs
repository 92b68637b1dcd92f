using System.Globalization;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>What the end of a file costs the threads that serve others.</summary>
public class RemovedFileTests
{
    private const int MebiBytes = 512;

    /// <summary>
    /// The kernel drops its cached pages of a removed file when the last RELEASE is answered, in the thread that answers. So the
    /// pages go before, on a thread that serves no request: the test compares its time with that of all session threads.
    /// </summary>
    [Fact]
    public void What_the_kernel_keeps_of_a_removed_file_is_dropped_by_no_session_thread()
    {
        using var daemon = Daemon.Start();
        var file = Path.Combine(daemon.Pool("p"), "large");
        Command.Run("dd", "if=/dev/zero", $"of={file}", "bs=1M", $"count={MebiBytes}").Succeeds();
        var (session, notifier) = Times(daemon.Worker);
        Command.Run("sh", "-c", $"exec 3<'{file}'; rm '{file}'").Succeeds();
        Assert.True(SpinWait.SpinUntil(() => daemon.Figure("total.pages") == 0, TimeSpan.FromSeconds(60)), "the pages stay");
        var (sessionAfter, notifierAfter) = Times(daemon.Worker);
        Assert.True(notifierAfter - notifier > sessionAfter - session,
            $"session threads took {(sessionAfter - session) / 1000} us, the notifier {(notifierAfter - notifier) / 1000}");
    }

    /// <summary>Nanoseconds of processor time: of all session threads, and of the thread that notifies the kernel.</summary>
    private static (long Session, long Notifier) Times(int process)
    {
        long session = 0, notifier = 0;
        foreach (var thread in Directory.GetDirectories($"/proc/{process}/task"))
        {
            var name = File.ReadAllText(Path.Combine(thread, "comm")).Trim();
            if (!name.StartsWith("fuse-", StringComparison.Ordinal)) continue;
            var words = File.ReadAllText(Path.Combine(thread, "schedstat")).Split(' ');
            var time = long.Parse(words[0], CultureInfo.InvariantCulture);
            if (char.IsAsciiDigit(name[^1])) session += time;
            else if (name == "fuse-notify") notifier += time;
        }
        return (session, notifier);
    }
}
