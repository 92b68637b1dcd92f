using Tmem.Benchmarks.Linux;
using Tmem.Engine;
using Tmem.Engine.Format;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>memory</c>: what the store takes beside the compressed bytes of its pages, after ten passes that each flush a quarter of
/// the pages and then write all of them in random order, with another corpus page each time; and after a flush of every other
/// page. The same writes and discards go to a zram device. The system's own account stands beside the store's: the blocks of the
/// memfd that the region lies in.
/// <para>zram's <c>mem_used_total</c> leaves out its table (16 bytes a page of the disk, used or not) and the allocator's handles
/// (8 bytes a stored page), while ours has everything of the kind; so there is a verdict on either figure.</para>
/// </summary>
internal static unsafe class MemoryTable
{
    private const int Page = PageFile.PageSize;
    private const int Passes = 10;
    private const double MiB = 1 << 20;
    private const int ZramTableBytes = 16;
    private const int ZramHandleBytes = 8;

    public static long Run(EngineBench bench)
    {
        long wrong = 0;
        long[] sizes = [(64 << 20) / Page, (1 << 30) / Page];
        foreach (var pages in sizes.Select(size => bench.Pages > 0 ? Math.Min(size, bench.Pages) : size).Distinct())
        {
            wrong += Churn(bench, pages);
            bench.Check();
        }
        return wrong;
    }

    private static long Churn(EngineBench bench, long pages)
    {
        using var region = new Memfd();
        var before = KernelMemory.Now();
        using var device = new ZramDevice(pages * Page);
        using var direct = new DirectFile(device.Path);
        using var store = new Store(pages * Page + (64 << 20), PoolFlags.Persistent, region.Duplicate());
        using var room = new AnonymousMemory(Page);
        var random = new Random(1);
        var order = new int[pages];
        for (var i = 0; i < pages; i++) order[i] = i;
        for (var pass = 0; pass <= Passes; pass++)
        {
            random.Shuffle(order);
            if (pass > 0) Drop(order.AsSpan(0, order.Length / 4));
            random.Shuffle(order);
            foreach (var number in order)
            {
                var page = PageOf(bench, number, pass);
                store.Put(number, bench.Corpus[page]);
                direct.Write(bench.Corpus.Pointer(page), (long)number * Page);
            }
            bench.Check();
        }
        for (var i = 0; i < pages; i++) store.Check(i, bench.Corpus[PageOf(bench, i, Passes)]);

        Console.WriteLine(
            $"memory: {pages} pages ({pages * Page / MiB:F0} MiB), {Passes} overwrites of each with flushes of a quarter "
            + "between; MiB, and times the compressed bytes");
        Console.WriteLine($"  {"",-34}{"compressed",12}{"store says",18}{"system says",18}{"zram's mem_used_total",22}");
        _ = Measure("after the churn", compact: false);
        var full = Measure("after the churn, compacted", compact: true);
        var kernel = KernelMemory.Now().Since(before);
        Console.WriteLine(
            $"  beside mem_used_total, zram: table and handles {pages * (ZramTableBytes + ZramHandleBytes) / MiB:F2} by count; "
            + $"the kernel's vmalloc grew by {kernel.Vmalloc / MiB:F2}, its slabs by {kernel.Slab / MiB:F2} (others' growth "
            + "included)");
        random.Shuffle(order);
        Drop(order.AsSpan(0, order.Length / 2));
        _ = Measure("half of them flushed", compact: false);
        var half = Measure("half of them flushed, compacted", compact: true);
        var verdict = new Verdict(Math.Min(pages, bench.Corpus.Count), ofTimes: false);
        verdict.AtMost("all memory, as the system has it, / compressed bytes", full.System, 1.05);
        verdict.AtMost("the same, half of the pages flushed", half.System, 1.05);
        verdict.AtMost("metadata, bytes a page", full.Metadata, 32);
        verdict.Below("all memory / zram's mem_used_total", full.BesideZram, 1);
        verdict.Below("all memory / zram's with its table and handles", full.BesideAllOfZram, 1);
        return store.Wrong;

        void Drop(Span<int> numbers)
        {
            foreach (var number in numbers)
            {
                store.Flush(number);
                direct.Discard((long)number * Page);
            }
        }

        (double System, double Metadata, double BesideZram, double BesideAllOfZram) Measure(string when, bool compact)
        {
            if (compact)
            {
                store.Engine.Compact();
                device.Compact();
            }
            var now = store.Engine.Statistics();
            var (system, compressed) = (region.Bytes, (double)now.Total.CompressedBytes);
            var (zramCompressed, zram) = device.Memory();
            Console.WriteLine(
                $"  {when,-34}{compressed / MiB,12:F2}{now.UsedBytes / MiB,10:F2} {now.UsedBytes / compressed,6:F3}x"
                + $"{system / MiB,10:F2} {system / compressed,6:F3}x{zram / MiB,14:F2} {(double)zram / zramCompressed,6:F3}x");
            // Headers, leaves, nodes and objects, and what belongs to no span; not the rounding and the holes, which the ratio
            // has.
            var stored = now.Total.Pages - now.Total.SameFilledPages;
            var tables = now.UsedBytes - now.PageSpanBytes - now.RecordSpanBytes - now.ReadySpanBytes;
            var whole = zram + pages * ZramTableBytes + stored * ZramHandleBytes;
            return (system / compressed, (double)(stored * SlotHeader.Bytes + tables) / now.Total.Pages, (double)system / zram,
                (double)system / whole);
        }
    }

    /// <summary>Which corpus page a page holds after a pass: another each time.</summary>
    private static int PageOf(EngineBench bench, int number, int pass) => (int)((number + pass * 7919L) % bench.Corpus.Count);
}
