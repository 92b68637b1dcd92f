using System.Globalization;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>tmem: a daemon of its own, swap turned on and off by tmemctl as a user would.</summary>
internal sealed class TmemPeer(string binaries, string[] daemonArguments) : ISwapPeer
{
    private TmemDaemon? _daemon;
    private string[] _devices = [];

    public string Name => "tmem";

    public void Start(long bytes, int priority)
    {
        _daemon = new TmemDaemon(binaries, "swap", bytes, false, daemonArguments);
        var before = SwapDevice.All();
        _daemon.Must("swap", "on", "--size", bytes.ToString(CultureInfo.InvariantCulture), "--priority",
            priority.ToString(CultureInfo.InvariantCulture));
        _devices = [.. SwapDevice.All().Except(before)];
        if (_devices.Length == 0)
            throw new BenchmarkException("tmemctl swap on succeeded, but /proc/swaps has no new device.");
    }

    public StoreUse Use() => new(_devices.Sum(SwapDevice.UsedBytes), _daemon!.UsedBytes(),
        ProcessFamily.ResidentBytes(_daemon.Id));

    public double? DaemonCpuSeconds() => ProcessFamily.CpuSeconds(_daemon!.Id);

    public void Dispose()
    {
        _daemon?.Dispose();
        _daemon = null;
    }
}
