using System.Globalization;

namespace Tmem.Benchmarks.Swap;

/// <summary>zram with lz4: the kernel's own compressed swap, the yardstick.</summary>
internal sealed class ZramPeer : ISwapPeer
{
    private const string Control = "/sys/class/zram-control";
    private int _number = -1;
    private bool _added;

    public string Name => "zram";

    private string Device => $"/dev/zram{_number}";

    private string Folder => $"/sys/block/zram{_number}";

    public void Start(long bytes, int priority)
    {
        _ = Linux.Child.TryRun("modprobe", "zram");
        if (File.Exists($"{Control}/hot_add"))
        {
            // Reading the file makes the device and says its number.
            _number = int.Parse(File.ReadAllText($"{Control}/hot_add").Trim(), CultureInfo.InvariantCulture);
            _added = true;
        }
        else if (File.Exists("/sys/block/zram0/initstate") && File.ReadAllText("/sys/block/zram0/initstate").Trim() == "0") _number = 0;
        else throw new BenchmarkException("no free zram device: load the module zram, or free /dev/zram0.");
        if (!File.ReadAllText($"{Folder}/comp_algorithm").Contains("lz4", StringComparison.Ordinal))
            throw new BenchmarkException("this kernel's zram has no lz4; the comparison needs the same codec on both sides.");
        File.WriteAllText($"{Folder}/comp_algorithm", "lz4");
        File.WriteAllText($"{Folder}/disksize", bytes.ToString(CultureInfo.InvariantCulture));
        for (var tries = 0; !File.Exists(Device) && tries < 100; tries++) Thread.Sleep(10);
        SwapDevice.On(Device, priority, discard: false);
    }

    public StoreUse Use()
    {
        // orig_data_size compr_data_size mem_used_total ...
        var fields = File.ReadAllText($"{Folder}/mm_stat").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return new StoreUse(SwapDevice.UsedBytes(Device), long.Parse(fields[2], CultureInfo.InvariantCulture), 0);
    }

    public double? DaemonCpuSeconds() => null;

    public void Dispose()
    {
        if (_number < 0) return;
        SwapDevice.Off(Device);
        File.WriteAllText($"{Folder}/reset", "1");
        if (_added) File.WriteAllText($"{Control}/hot_remove", _number.ToString(CultureInfo.InvariantCulture));
        _number = -1;
    }
}
