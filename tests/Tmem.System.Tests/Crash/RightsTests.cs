using System.Globalization;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// What a daemon's processes may do, what they have open, and what a dump of them would show: no more than they need.
/// </summary>
public class RightsTests
{
    /// <summary>CAP_IPC_LOCK and CAP_SYS_NICE.</summary>
    private const ulong Always = (1UL << 14) | (1UL << 23);

    /// <summary>CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE and CAP_SYS_ADMIN.</summary>
    private const ulong InReserve = (1UL << 2) | (1UL << 19) | (1UL << 21);

    [Fact]
    public void Each_process_has_the_rights_it_needs_and_no_more_through_kills_upgrades_and_another_keeper()
    {
        using var daemon = Daemon.Start("64M");
        daemon.Pool("p");
        Examine(daemon, daemon.AwaitAll());
        Syscall.kill(daemon.Worker, Signum.SIGKILL);
        daemon.AwaitRestarts(1);
        daemon.Control("upgrade", "--threads", "6").Succeeds();
        Syscall.kill(daemon.Id, Signum.SIGKILL);
        daemon.Control("adopt").Succeeds();
        Examine(daemon, daemon.AwaitAll());
        // A holder of the mount is named even if it is another user's process: the reserve capabilities are there when needed.
        Requires.Programs("setpriv");
        using var holder = global::System.Diagnostics.Process.Start("sh",
            ["-c", $"cd {daemon.Mount} && exec setpriv --reuid=4321 --clear-groups sleep 100"])!;
        try
        {
            string said;
            for (var tries = 0; !(said = daemon.Control("stop", "--force").All)
                .Contains($"process {holder.Id} (sleep)", StringComparison.Ordinal); tries++, Thread.Sleep(50))
                Assert.True(tries < 100 && said.Contains("tmemd goes on", StringComparison.Ordinal), said);
        }
        finally
        {
            holder.Kill();
            holder.WaitForExit();
        }
        daemon.Control("stop", "--force").Succeeds();
        daemon.AwaitNothing();
    }

    [Fact]
    public void What_the_caller_has_open_is_not_kept_open()
    {
        using var daemon = Daemon.StartBy("exec 7</etc/passwd 9</etc/group; exec \"$@\"");
        foreach (var process in daemon.AwaitAll())
        {
            var open = Directory.GetFileSystemEntries($"/proc/{process}/fd").Select(link => new FileInfo(link).LinkTarget)
                .ToList();
            Assert.DoesNotContain("/etc/passwd", open);
            Assert.DoesNotContain("/etc/group", open);
        }
        daemon.Stop();
    }

    private static void Examine(Daemon daemon, int[] processes)
    {
        foreach (var process in processes)
        {
            var status = Status($"/proc/{process}/status");
            Assert.Equal("1", status["NoNewPrivs"]);
            Assert.Equal(0UL, Number(status["CapPrm"]) & ~(Always | InReserve));
            Assert.Equal(0UL, Number(status["CapInh"]) | Number(status["CapAmb"]));
            Assert.Contains("Max core file size        1                    1", File.ReadAllText($"/proc/{process}/limits"),
                StringComparison.Ordinal);
            // The page that all share, and the requests as they arrive.
            Assert.All(Mappings(process), flags => Assert.Contains(" dd", flags, StringComparison.Ordinal));
        }
        // A process that serves or manages does not hold what only a stop needs.
        foreach (var thread in Directory.GetDirectories($"/proc/{daemon.Worker}/task"))
        {
            if (File.ReadAllText(thread + "/comm").StartsWith(".NET Finalizer", StringComparison.Ordinal)) continue;
            Assert.Equal(0UL, Number(Status(thread + "/status")["CapEff"]) & ~Always);
        }
    }

    private static Dictionary<string, string> Status(string file) =>
        File.ReadLines(file).Select(line => line.Split(':', 2)).ToDictionary(parts => parts[0], parts => parts[1].Trim());

    private static ulong Number(string hexadecimal) =>
        ulong.Parse(hexadecimal, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    /// <summary>
    /// The flags of writable mappings of anonymous memory or memory files, except the region's, which is the largest.
    /// </summary>
    private static List<string> Mappings(int process)
    {
        var found = new List<(long Bytes, string Flags)>();
        var bytes = -1L;
        foreach (var line in File.ReadLines($"/proc/{process}/smaps"))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields[0].Contains('-', StringComparison.Ordinal))
            {
                var ends = fields[0].Split('-');
                var isOurs = fields[1] == "rw-s"
                    && (fields[^1].StartsWith("/#", StringComparison.Ordinal)
                        || fields[^2].StartsWith("/memfd:", StringComparison.Ordinal)
                        || fields[^2].StartsWith("/#", StringComparison.Ordinal));
                bytes = isOurs ? (long)(Number(ends[1]) - Number(ends[0])) : -1;
            }
            else if (bytes >= 0 && fields[0] == "VmFlags:") found.Add((bytes, line));
        }
        return [.. found.Where(mapping => mapping.Bytes <= 2 << 20).Select(mapping => mapping.Flags)];
    }
}
