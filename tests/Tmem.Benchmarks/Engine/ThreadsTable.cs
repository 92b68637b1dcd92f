using Tmem.Benchmarks.Linux;
using Tmem.Engine;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>threads</c>: how much two threads do in the time of one. On one object they take turns page by page (thread t has the
/// indexes with i mod 2 = t), so they share every node of its tree and the latch of its bucket; on two objects they share
/// neither.
/// <para>By the clock, this needs cores of its own. So each pass is also taken by processor time, which counts waiting for a
/// latch (that is spinning) and leaves out what others of the machine took; the verdicts are on the clock if the threads had
/// their cores, else on that.</para>
/// </summary>
internal static unsafe class ThreadsTable
{
    private const int Threads = 2;

    /// <summary>Part of the clock's time that a thread must have had a processor for, for the clock to be believed.</summary>
    private const double HadTheirCores = 0.95;

    /// <summary>What a thread does with its pages.</summary>
    private enum Work { Puts, Gets, Mixed }

    public static long Run(EngineBench bench)
    {
        var pages = bench.Corpus;
        using var store = new Store(2L * pages.Count * PageFile.PageSize + (64 << 20), PoolFlags.Persistent);
        using var rooms = new AnonymousMemory(Threads * PageFile.PageSize);
        long wrong = 0;
        var one = new Dictionary<Work, Series>();
        var shared = new Dictionary<Work, Series>();
        var apart = new Dictionary<Work, Series>();
        var oneAlone = new Dictionary<Work, Series>();
        var sharedAlone = new Dictionary<Work, Series>();
        var had = new Series();
        foreach (var work in Enum.GetValues<Work>())
            (one[work], shared[work], apart[work], oneAlone[work], sharedAlone[work]) = (new(), new(), new(), new(), new());
        for (var round = -EngineBench.WarmUp; round < bench.Rounds; round++)
        {
            foreach (var work in Enum.GetValues<Work>())
            {
                // One thread does half of what two do together: the same pages a thread.
                Note(one[work], round, pages.Count / Threads,
                    Crew.Run(1, () => store.Engine.PrepareThread(), t => Pass(work, t, apart: false), out var alone));
                Note(oneAlone[work], round, pages.Count / Threads, alone);
                var clock = Crew.Run(Threads, () => store.Engine.PrepareThread(), t => Pass(work, t, apart: false), out alone);
                Note(shared[work], round, pages.Count, clock);
                Note(sharedAlone[work], round, pages.Count, alone);
                if (round >= 0) had.Add(alone / clock);
                Note(apart[work], round, pages.Count,
                    Crew.Run(Threads, () => store.Engine.PrepareThread(), t => Pass(work, t, apart: true)));
            }
            bench.Check();
        }
        for (uint i = 0; i < pages.Count; i++) Compare(i);

        Console.WriteLine(
            $"threads: millions of pages a second, medians of {bench.Rounds} rounds; {Threads} threads on this machine of "
            + $"{Environment.ProcessorCount} cores");
        Console.WriteLine($"  {"",-10}{"one thread",12}{"one object",12}{"two objects",13}");
        foreach (var work in Enum.GetValues<Work>())
            Console.WriteLine($"  {work,-10}{one[work].Median,12:F3}{shared[work].Median,12:F3}{apart[work].Median,13:F3}"
                + $"   two objects / one thread {apart[work].Median / one[work].Median:F2}");
        var undisturbed = had.Median >= HadTheirCores;
        Console.WriteLine(
            $"  of the clock's time on one object the busier thread had a processor for {had.Median:P0}; verdicts by "
            + $"{(undisturbed ? "the clock" : "processor time")}");
        foreach (var work in Enum.GetValues<Work>())
        {
            var byClock = shared[work].Median / one[work].Median;
            var byProcessor = sharedAlone[work].Median / oneAlone[work].Median;
            Console.WriteLine(
                $"  {work,-10}two threads on one object / one thread: {byClock:F2} by the clock, {byProcessor:F2} by "
                + "processor time");
            bench.Verdict.AtLeast($"{work}: two threads on one object / one thread", undisturbed ? byClock : byProcessor, 1.8);
        }
        return wrong;

        void Pass(Work work, int thread, bool apart)
        {
            var id = new ObjectId(apart ? (ulong)thread + 1 : 0);
            var room = new Span<byte>(rooms.Page(thread), PageFile.PageSize);
            for (var i = thread; i < pages.Count; i += Threads)
            {
                // In the mixed pass every other page is read; what was put in the first pass is there for it.
                var put = work == Work.Puts || (work == Work.Mixed && (i / Threads & 1) == 0);
                var status = put ? store.Client.Put(store.Pool, id, (uint)i, pages[i])
                    : store.Client.Get(store.Pool, id, (uint)i, room);
                if (status != TmemStatus.Ok) Interlocked.Increment(ref wrong);
            }
        }

        void Compare(uint index)
        {
            var room = new Span<byte>(rooms.Page(0), PageFile.PageSize);
            for (var id = 0UL; id <= Threads; id++)
            {
                if (id != 0 && index % Threads != id - 1) continue;
                var status = store.Client.Get(store.Pool, new ObjectId(id), index, room);
                if (status != TmemStatus.Ok || !room.SequenceEqual(pages[(int)index])) wrong++;
            }
        }
    }

    private static void Note(Series series, int round, int pages, double nanoseconds)
    {
        if (round >= 0) series.Add(pages * 1e3 / nanoseconds);
    }
}
