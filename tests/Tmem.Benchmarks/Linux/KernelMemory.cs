using System.Globalization;

namespace Tmem.Benchmarks.Linux;

/// <summary>
/// What of the kernel's own memory a zram device takes beside <c>mem_used_total</c>: its table is vmalloc memory, its handles and
/// zspage headers are slab objects. Measured as growth, so a machine on which others work adds its noise; a negative growth is
/// noise alone.
/// </summary>
internal readonly record struct KernelMemory(long Vmalloc, long Slab)
{
    public static KernelMemory Now()
    {
        long vmalloc = 0, slab = 0;
        foreach (var line in File.ReadLines("/proc/meminfo"))
        {
            if (line.StartsWith("VmallocUsed:", StringComparison.Ordinal)) vmalloc = Bytes(line);
            else if (line.StartsWith("SUnreclaim:", StringComparison.Ordinal)) slab = Bytes(line);
        }
        return new KernelMemory(vmalloc, slab);
    }

    public KernelMemory Since(KernelMemory before) => new(Vmalloc - before.Vmalloc, Slab - before.Slab);

    private static long Bytes(string line) =>
        long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
}
