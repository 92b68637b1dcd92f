using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>
/// A loop device over a plain file in memory: no compression and no daemon. What tmem costs above it is the daemon's, what it
/// costs above zram is the block layer's.
/// </summary>
internal sealed class TmpfsPeer : ISwapPeer
{
    private readonly string _file = $"/dev/shm/tmem-bench-{Environment.ProcessId}.swap";
    private string? _device;

    public string Name => "tmpfs";

    public void Start(long bytes, int priority)
    {
        using (var file = File.Create(_file)) file.SetLength(bytes);
        _device = Child.Run("losetup", "--find", "--show", "--sector-size", "4096", _file).Trim();
        SwapDevice.On(_device, priority, discard: true);
    }

    public StoreUse Use()
    {
        var kilobytes = long.Parse(Child.Run("du", "--block-size=1024", _file).Split('\t')[0]);
        return new StoreUse(SwapDevice.UsedBytes(_device!), kilobytes * 1024, 0);
    }

    public double? DaemonCpuSeconds() => null;

    public void Dispose()
    {
        if (_device is not null)
        {
            SwapDevice.Off(_device);
            Child.Run("losetup", "--detach", _device);
            _device = null;
        }
        File.Delete(_file);
    }
}
