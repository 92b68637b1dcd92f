using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>zram with lz4: the kernel's own compressed swap, the yardstick.</summary>
internal sealed class ZramPeer : ISwapPeer
{
    private ZramDevice? _device;

    public string Name => "zram";

    public void Start(long bytes, int priority)
    {
        _device = new ZramDevice(bytes);
        SwapDevice.On(_device.Path, priority, discard: false);
    }

    public StoreUse Use() => new(SwapDevice.UsedBytes(_device!.Path), _device.Memory().Used, 0);

    public double? DaemonCpuSeconds() => null;

    public void Dispose()
    {
        if (_device == null) return;
        SwapDevice.Off(_device.Path);
        _device.Dispose();
        _device = null;
    }
}
