using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>tmem: a daemon of its own on a private mount and socket, swap turned on and off by tmemctl as a user would.</summary>
internal sealed class TmemPeer(string binaries, string[] daemonArguments) : ISwapPeer
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"tmem-bench-{Environment.ProcessId}");
    private Process? _daemon;
    private string _device = "";

    public string Name => "tmem";

    private string Socket => Path.Combine(_folder, "tmemd.sock");

    private string Mount => Path.Combine(_folder, "mnt");

    private string LogFile => Path.Combine(_folder, "log");

    public void Start(long bytes, int priority)
    {
        foreach (var program in new[] { "tmemd", "tmemctl" })
            if (!File.Exists(Path.Combine(binaries, program))) throw new BenchmarkException($"no {program} in {binaries}; run scripts/build.");
        Directory.CreateDirectory(Mount);
        // Through a shell only for the log: the daemon's output goes to a file, and exec keeps the process id ours.
        var info = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true };
        string[] words = ["-c", "log=$1; shift; exec \"$@\" >\"$log\" 2>&1 </dev/null", "sh", LogFile, Path.Combine(binaries, "tmemd"),
            "--mount", Mount, "--socket", Socket, "--capacity", bytes.ToString(CultureInfo.InvariantCulture), .. daemonArguments];
        foreach (var word in words) info.ArgumentList.Add(word);
        _daemon = Process.Start(info)!;
        var watch = Stopwatch.StartNew();
        while (!File.Exists(Socket) || Control("status").Code != 0)
        {
            if (_daemon.HasExited || watch.Elapsed.TotalSeconds > 20)
                throw new BenchmarkException($"tmemd did not get ready; its log:\n{(File.Exists(LogFile) ? File.ReadAllText(LogFile) : "")}");
            Thread.Sleep(20);
        }
        var before = SwapDevice.All();
        Must("swap", "on", "--size", bytes.ToString(CultureInfo.InvariantCulture), "--priority", priority.ToString(CultureInfo.InvariantCulture));
        _device = SwapDevice.All().Except(before).FirstOrDefault()
            ?? throw new BenchmarkException("tmemctl swap on succeeded, but /proc/swaps has no new device.");
    }

    public StoreUse Use()
    {
        var status = JsonNode.Parse(Must("status", "--json"))!;
        var used = status["store"]?["usedBytes"] ?? throw new BenchmarkException("tmemctl status --json has no store.usedBytes.");
        var process = _daemon!.Id.ToString(CultureInfo.InvariantCulture);
        return new StoreUse(SwapDevice.UsedBytes(_device), used.GetValue<long>(), ProcessTimes.StatusBytes(process, "VmRSS"));
    }

    public double? DaemonCpuSeconds() => ProcessTimes.CpuSeconds(_daemon!.Id);

    public void Dispose()
    {
        if (_daemon is not null)
        {
            if (!_daemon.HasExited)
            {
                _ = Control("swap", "off");
                _ = Control("stop");
                if (!_daemon.WaitForExit(10_000) && SwapDevice.IsOn(_device))
                    throw new BenchmarkException($"{_device} is still swapped to and tmemd (process {_daemon.Id}) serves it; left running: {_folder}");
                if (!_daemon.HasExited) _ = Native.kill(_daemon.Id, Native.SigKill);
                _daemon.WaitForExit(10_000);
            }
            _daemon.Dispose();
            _daemon = null;
        }
        if (File.ReadAllText("/proc/mounts").Contains($" {Mount} ", StringComparison.Ordinal)) _ = Child.TryRun("umount", "--lazy", Mount);
        if (Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
    }

    private (int Code, string Output) Control(params string[] arguments) =>
        Child.TryRun(Path.Combine(binaries, "tmemctl"), ["--socket", Socket, .. arguments]);

    private string Must(params string[] arguments)
    {
        var (code, output) = Control(arguments);
        if (code == 0) return output;
        throw new BenchmarkException($"tmemctl {string.Join(' ', arguments)} failed ({code}): {output.Trim()}");
    }
}
