using System.Globalization;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>tmem: a daemon of its own, swap turned on and off by tmemctl as a user would.</summary>
internal sealed class TmemPeer(string binaries, string[] daemonArguments) : ISwapPeer
{
    private TmemDaemon? _daemon;
    private string _device = "";

    public string Name => "tmem";

    public void Start(long bytes, int priority)
    {
        _daemon = new TmemDaemon(binaries, "swap", bytes, false, daemonArguments);
        var before = SwapDevice.All();
        _daemon.Must("swap", "on", "--size", bytes.ToString(CultureInfo.InvariantCulture), "--priority",
            priority.ToString(CultureInfo.InvariantCulture));
        _device = SwapDevice.All().Except(before).FirstOrDefault()
            ?? throw new BenchmarkException("tmemctl swap on succeeded, but /proc/swaps has no new device.");
    }

    public StoreUse Use() => new(SwapDevice.UsedBytes(_device), _daemon!.UsedBytes(),
        ProcessFamily.ResidentBytes(_daemon.Id));

    public double? DaemonCpuSeconds() => ProcessFamily.CpuSeconds(_daemon!.Id);

    public void Dispose()
    {
        _daemon?.Dispose();
        _daemon = null;
    }
}
