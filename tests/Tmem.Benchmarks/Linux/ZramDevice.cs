using System.Globalization;

namespace Tmem.Benchmarks.Linux;

/// <summary>
/// A zram device with lz4, made for the run and taken away on dispose: the kernel's own compressed store, the yardstick.
/// </summary>
internal sealed class ZramDevice : IDisposable
{
    private const string Control = "/sys/class/zram-control";
    private readonly bool _added;
    private int _number = -1;

    /// <summary>Makes a device of that many bytes, or takes the unused first one where the kernel cannot add any.</summary>
    public ZramDevice(long bytes)
    {
        _ = Child.TryRun("modprobe", "zram");
        if (File.Exists($"{Control}/hot_add"))
        {
            // Reading the file makes the device and says its number.
            _number = int.Parse(File.ReadAllText($"{Control}/hot_add").Trim(), CultureInfo.InvariantCulture);
            _added = true;
        }
        else if (File.Exists("/sys/block/zram0/initstate") && File.ReadAllText("/sys/block/zram0/initstate").Trim() == "0")
            _number = 0;
        else throw new BenchmarkException("no free zram device: load the module zram, or free /dev/zram0.");
        try
        {
            if (!File.ReadAllText($"{Folder}/comp_algorithm").Contains("lz4", StringComparison.Ordinal))
                throw new BenchmarkException("this kernel's zram has no lz4; the comparison needs the same codec on both sides.");
            File.WriteAllText($"{Folder}/comp_algorithm", "lz4");
            File.WriteAllText($"{Folder}/disksize", bytes.ToString(CultureInfo.InvariantCulture));
            for (var tries = 0; !File.Exists(Path) && tries < 100; tries++) Thread.Sleep(10);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The device's node.</summary>
    public string Path => $"/dev/zram{_number}";

    private string Folder => $"/sys/block/zram{_number}";

    /// <summary>Bytes of the pages as compressed, and of all the memory that the device takes for them.</summary>
    public (long Compressed, long Used) Memory()
    {
        // orig_data_size compr_data_size mem_used_total ...
        var fields = File.ReadAllText($"{Folder}/mm_stat").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return (long.Parse(fields[1], CultureInfo.InvariantCulture), long.Parse(fields[2], CultureInfo.InvariantCulture));
    }

    /// <summary>Moves pages out of sparse zspages, as zram does when it is asked to.</summary>
    public void Compact() => File.WriteAllText($"{Folder}/compact", "1");

    public void Dispose()
    {
        if (_number < 0) return;
        File.WriteAllText($"{Folder}/reset", "1");
        if (_added) File.WriteAllText($"{Control}/hot_remove", _number.ToString(CultureInfo.InvariantCulture));
        _number = -1;
    }
}
