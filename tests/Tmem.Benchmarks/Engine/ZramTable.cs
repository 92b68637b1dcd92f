using Tmem.Benchmarks.Linux;
using Tmem.Engine;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>zram</c>: the same pages through the engine and through a zram block device (lz4) with O_DIRECT, 4 KiB a call, from the
/// same page-aligned memory outside the managed heap; on one thread, and on two of which each has half of the pages.
/// </summary>
internal static unsafe class ZramTable
{
    private const int Page = PageFile.PageSize;
    private const int MostThreads = 2;

    public static long Run(EngineBench bench)
    {
        var pages = bench.Corpus;
        using var device = new ZramDevice((long)pages.Count * Page);
        using var direct = new DirectFile(device.Path);
        using var store = new Store(2L * pages.Count * Page + (64 << 20), PoolFlags.Persistent);
        using var rooms = new AnonymousMemory(MostThreads * Page);
        long wrong = 0;
        var times = new Dictionary<(string, int), Series>();
        for (var round = -EngineBench.WarmUp; round < bench.Rounds; round++)
        {
            for (var threads = 1; threads <= MostThreads; threads++)
            {
                Pass("put", threads, round, (_, i) => store.Put(i, pages[i]));
                Pass("pwrite", threads, round, (_, i) => direct.Write(pages.Pointer(i), (long)i * Page));
                Pass("get", threads, round, (t, i) => store.Get(i, new Span<byte>(rooms.Page(t), Page)));
                Pass("pread", threads, round, (t, i) => direct.Read(rooms.Page(t), (long)i * Page));
            }
            bench.Check();
        }
        for (var i = 0; i < pages.Count; i++)
        {
            store.Check(i, pages[i]);
            direct.Read(rooms.Page(0), (long)i * Page);
            if (!pages[i].SequenceEqual(new Span<byte>(rooms.Page(0), Page))) wrong++;
        }

        Console.WriteLine(
            $"zram: ns a page and call, minimum / median of {bench.Rounds} rounds over {pages.Count} pages, both sides over "
            + "older pages");
        for (var threads = 1; threads <= MostThreads; threads++)
            Console.WriteLine(
                $"  {threads} thread{(threads > 1 ? "s" : " ")}  put {times[("put", threads)],14}   pwrite "
                + $"{times[("pwrite", threads)],14}"
                + $"   get {times[("get", threads)],14}   pread {times[("pread", threads)],14}");
        for (var threads = 1; threads <= MostThreads; threads++)
        {
            bench.Verdict.Below($"put / pwrite, {threads} thread(s)",
                times[("put", threads)].Median / times[("pwrite", threads)].Median, 1);
            bench.Verdict.Below($"get / pread, {threads} thread(s)",
                times[("get", threads)].Median / times[("pread", threads)].Median, 1);
        }
        return wrong + store.Wrong;

        // The call through a delegate costs both sides the same two nanoseconds.
        void Pass(string what, int threads, int round, Action<int, int> operation)
        {
            if (!times.TryGetValue((what, threads), out var series)) times[(what, threads)] = series = new();
            var taken = Crew.Run(threads, () => store.Engine.PrepareThread(), thread =>
            {
                for (var i = thread; i < pages.Count; i += threads) operation(thread, i);
            });
            if (round >= 0) series.Add(taken * threads / pages.Count);
        }
    }
}
