using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Tmem.Benchmarks.Linux;

/// <summary>A tmemd of the run's own, on a private mount and socket; Dispose takes it away, and says so when it cannot.</summary>
internal sealed class TmemDaemon : IDisposable
{
    private const int StartSeconds = 60;
    private readonly string _binaries;
    private readonly string _folder;
    private Process? _daemon;

    /// <summary>Starts a daemon and waits until it serves.</summary>
    /// <param name="binaries">The folder of tmemd and tmemctl.</param>
    /// <param name="name">Tells the daemons of a run apart.</param>
    /// <param name="capacity">Bytes.</param>
    /// <param name="realTime">Before all ordinary processes of the machine.</param>
    /// <param name="arguments">More for tmemd.</param>
    public TmemDaemon(string binaries, string name, long capacity, bool realTime, params string[] arguments)
    {
        _binaries = binaries;
        _folder = Path.Combine(Path.GetTempPath(), $"tmem-bench-{Environment.ProcessId}-{name}");
        foreach (var program in new[] { "tmemd", "tmemctl" })
            if (!File.Exists(Path.Combine(binaries, program)))
                throw new BenchmarkException($"no {program} in {binaries}; run scripts/build.");
        Directory.CreateDirectory(Mount);
        try
        {
            Start(capacity, realTime, arguments);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Put before a command, runs it in the kernel's real-time class.</summary>
    public static string[] RealTime { get; } = ["chrt", "--rr", "1"];

    public string Mount => Path.Combine(_folder, "mnt");

    /// <summary>The process that was started: the keeper.</summary>
    public int Id => _daemon!.Id;

    private string Socket => Path.Combine(_folder, "tmemd.sock");

    private string LogFile => Path.Combine(_folder, "log");

    /// <summary>Runs tmemctl to its end.</summary>
    public (int Code, string Output) Control(params string[] arguments) =>
        Child.TryRun(Path.Combine(_binaries, "tmemctl"), ["--socket", Socket, .. arguments]);

    /// <summary>Runs tmemctl; anything but exit code 0 ends the run.</summary>
    public string Must(params string[] arguments)
    {
        var (code, output) = Control(arguments);
        if (code == 0) return output;
        throw new BenchmarkException($"tmemctl {string.Join(' ', arguments)} failed ({code}): {output.Trim()}");
    }

    /// <summary>Bytes the store says it uses.</summary>
    public long UsedBytes() => JsonNode.Parse(Must("status", "--json"))!["store"]?["usedBytes"]?.GetValue<long>()
        ?? throw new BenchmarkException("tmemctl status --json has no store.usedBytes.");

    public void Dispose()
    {
        if (_daemon is not null)
        {
            if (!_daemon.HasExited)
            {
                _ = Control("swap", "off", "--force");
                _ = Control("stop", "--force");
                if (!_daemon.WaitForExit(30_000)
                    && File.ReadAllText("/proc/swaps").Contains("/dev/loop", StringComparison.Ordinal))
                    throw new BenchmarkException(
                        $"tmemd (process {_daemon.Id}) does not end, and a loop device is swapped to; left running: {_folder}");
                if (!_daemon.HasExited) _ = Native.kill(_daemon.Id, Native.SigKill);
                _daemon.WaitForExit(10_000);
            }
            _daemon.Dispose();
            _daemon = null;
        }
        if (File.ReadAllText("/proc/mounts").Contains($" {Mount} ", StringComparison.Ordinal))
            _ = Child.TryRun("umount", "--lazy", Mount);
        if (Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
    }

    private void Start(long capacity, bool realTime, string[] arguments)
    {
        // Through a shell only for the log: the daemon's output goes to a file, and exec keeps the process id ours.
        var info = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true };
        string[] words = ["-c", "log=$1; shift; exec \"$@\" >\"$log\" 2>&1 </dev/null", "sh", LogFile, .. realTime ? RealTime
            : [], Path.Combine(_binaries, "tmemd"),
            "--mount", Mount, "--socket", Socket, "--capacity", capacity.ToString(CultureInfo.InvariantCulture), .. arguments];
        foreach (var word in words) info.ArgumentList.Add(word);
        _daemon = Process.Start(info)!;
        var watch = Stopwatch.StartNew();
        while (!File.Exists(Socket) || Control("status").Code != 0)
        {
            if (_daemon.HasExited || watch.Elapsed.TotalSeconds > StartSeconds)
                throw new BenchmarkException(
                    $"tmemd did not get ready; its log:\n{(File.Exists(LogFile) ? File.ReadAllText(LogFile) : "")}");
            Thread.Sleep(20);
        }
    }
}
