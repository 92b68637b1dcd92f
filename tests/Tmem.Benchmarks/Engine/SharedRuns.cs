using System.Diagnostics;
using Tmem.Engine;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// What a run of puts would win if two threads compressed it: half of its pages are left to a second thread, which waits for them
/// asleep, as one does that has nothing to do, or spinning, which costs a processor. By the clock, so it wants two idle cores;
/// with a pause before each run, so that who sleeps does.
/// </summary>
internal sealed class SharedRuns : IDisposable
{
    private const int Page = PageFile.PageSize;
    private const int MostRuns = 64;

    private readonly Store _store;
    private readonly PageFile _pages;
    private readonly SemaphoreSlim _given = new(0);
    private readonly Thread _second;
    private volatile bool _spins;
    private volatile bool _ends;
    private int _first;
    private volatile int _count;

    private SharedRuns(PageFile pages)
    {
        _pages = pages;
        _store = new Store(2L * pages.Count * Page + (64 << 20), PoolFlags.Persistent);
        _second = new Thread(Second) { IsBackground = true };
        _second.Start();
    }

    public static long Run(EngineBench bench)
    {
        using var both = new SharedRuns(bench.Corpus);
        foreach (var length in (int[])[8, 64, 256])
        {
            Series alone = new(), asleep = new(), spinning = new();
            for (var round = -EngineBench.WarmUp; round < bench.Rounds; round++)
            {
                both.Time(alone, round, length, both.Put);
                both.Time(asleep, round, length, both.Share);
                both._spins = true;
                both._given.Release();
                both.Time(spinning, round, length, both.Share);
                both._spins = false;
                bench.Check();
            }
            Console.WriteLine($"  put of {length,3} pages, us by the clock, minimum / median: alone {alone}, shared with a "
                + $"thread that slept {asleep}, that spun {spinning}");
        }
        return both._store.Wrong;
    }

    public void Dispose()
    {
        _ends = true;
        _given.Release();
        _second.Join();
        _given.Dispose();
        _store.Dispose();
    }

    private void Time(Series series, int round, int length, Action<int, int> put)
    {
        var runs = Math.Min(MostRuns, _pages.Count / length);
        var taken = TimeSpan.Zero;
        for (var run = 0; run < runs; run++)
        {
            Thread.Sleep(1);
            var start = Stopwatch.GetTimestamp();
            put(run * length, length);
            taken += Stopwatch.GetElapsedTime(start);
        }
        if (round >= 0) series.Add(taken.TotalMicroseconds / runs);
    }

    private unsafe void Put(int first, int count) => _store.PutRun(first, new(_pages.Pointer(first), count * Page));

    private void Share(int first, int count)
    {
        _first = first + count / 2;
        _count = count - count / 2;
        if (!_spins) _given.Release();
        Put(first, count / 2);
        while (_count != 0) Thread.SpinWait(1);
    }

    private void Second()
    {
        while (true)
        {
            _given.Wait();
            do
            {
                if (_ends) return;
                if (_count == 0) continue;
                Put(_first, _count);
                _count = 0;
            }
            while (_spins);
        }
    }
}
