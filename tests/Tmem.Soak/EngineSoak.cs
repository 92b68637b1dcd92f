using System.Diagnostics;

namespace Tmem.Soak;

/// <summary>
/// A soak is a row of lives of one region. In a life all threads grow the store until it is full, churn, and shrink it, while
/// this thread runs the verifier beside them; then everybody stops, the quiescent verifier agrees, the region is attached anew
/// and the verifier agrees again; every page that a thread knows of is then read back before the next life begins.
/// </summary>
internal sealed class EngineSoak : IDisposable
{
    private static readonly TimeSpan s_longestLife = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_report = TimeSpan.FromMinutes(1);

    private readonly EngineSoakOptions _options;
    private readonly TextWriter _output;
    private readonly SoakRegion _region;
    private readonly Stopwatch _elapsed = new();
    private readonly List<SoakWorker> _workers = [];
    private TmemEngine _engine;
    private string? _failure;
    private volatile Phase _phase;
    private TimeSpan _nextReport = s_report;
    private long _evictions, _refusals, _verifications, _lives, _moves, _pagesRead;

    public EngineSoak(EngineSoakOptions options, TextWriter output)
    {
        _options = options;
        _output = output;
        _region = new SoakRegion(options.RegionPath, options.CapacityBytes);
        _engine = _region.Open();
    }

    /// <summary>Runs it; returns what went wrong, or null.</summary>
    public string? Run(CancellationToken stop)
    {
        _output.WriteLine(
            $"soak of the engine: {_options.Duration.TotalMinutes:F1} minutes, {_options.Threads} threads, seed {_options.Seed}, "
            + $"{_options.CapacityBytes >> 20} MiB in {_options.RegionPath ?? "a memfd"}");
        try
        {
            MakeWorkers();
            _elapsed.Start();
            while (_failure is null && _elapsed.Elapsed < _options.Duration && !stop.IsCancellationRequested) Live(stop);
        }
        catch (SoakFailure failure)
        {
            Fail(failure.Message);
        }
        catch (RegionException refused)
        {
            Fail(refused.Message);
        }
        _elapsed.Stop();
        if (_failure is null) _region.Delete();
        return _failure;
    }

    public string Summary() =>
        $"{_elapsed.Elapsed.TotalMinutes:F1} minutes, {_workers.Sum(worker => worker.Operations) / 1e6:F2} million operations, "
        + $"{_evictions} evictions, "
        + $"{_refusals} refusals, {_moves} slots moved, {_lives} attachments, {_verifications} verifications of {_pagesRead} "
        + "pages";

    public void Dispose()
    {
        _engine.Dispose();
        _region.Dispose();
    }

    private void MakeWorkers()
    {
        var everybody = _engine.Client(SoakWorker.Everybody);
        var common = new PoolId[3];
        PoolFlags[] kinds = [PoolFlags.Persistent, PoolFlags.None, PoolFlags.Shared];
        for (var i = 0; i < kinds.Length; i++)
        {
            if (everybody.NewPool(new PoolOptions(kinds[i]), out common[i]) != TmemStatus.Ok)
                throw new SoakFailure("no room for the common pools");
        }
        for (var i = 0; i < _options.Threads; i++)
        {
            _workers.Add(new SoakWorker(_options, i, common));
            _workers[i].Attach(_engine);
        }
    }

    private void Live(CancellationToken stop)
    {
        // At least six lives a run, so that a short one attaches too.
        var life = TimeSpan.FromTicks(Math.Min(s_longestLife.Ticks, _options.Duration.Ticks / 6));
        var start = _elapsed.Elapsed;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var threads = _workers.Select(worker => new Thread(() => Guard(() => worker.Work(() => _phase, end.Token), end)))
            .ToList();
        threads.ForEach(thread => thread.Start());
        foreach (var phase in Enum.GetValues<Phase>())
        {
            _phase = phase;
            var until = start + life * ((int)phase + 1) / 3;
            Guard(() => Watch(until, end.Token), end);
        }
        end.Cancel();
        threads.ForEach(thread => thread.Join());
        if (_failure is null) Reattach();
    }

    /// <summary>
    /// Looks on until a moment: capacity at all times, the verifier in the middle, a line a minute. In the last third of a life
    /// the store is made dense, and smaller for a while.
    /// </summary>
    private void Watch(TimeSpan until, CancellationToken stop)
    {
        var verifyAt = _elapsed.Elapsed + (until - _elapsed.Elapsed) / 2;
        while (_elapsed.Elapsed < until && !stop.IsCancellationRequested)
        {
            stop.WaitHandle.WaitOne(50);
            var (capacity, used) = _engine.Room();
            if (used > capacity) throw new SoakFailure($"{used} bytes in use, the capacity is {capacity}");
            if (_phase == Phase.Shrink) Squeeze();
            if (_elapsed.Elapsed >= verifyAt)
            {
                Verify(quiescent: false, "beside the load");
                verifyAt = TimeSpan.MaxValue;
            }
            if (_elapsed.Elapsed >= _nextReport) Report();
        }
    }

    private void Squeeze()
    {
        _engine.Compact(2000);
        _engine.Shrink(1 << 20);
        var smaller = _options.CapacityBytes - (_options.CapacityBytes >> 3);
        if (_engine.Resize(smaller) is not (TmemStatus.Ok or TmemStatus.NoRoom) and var refused)
            throw new SoakFailure($"resize to {smaller}: {refused}");
        if (_engine.Resize(_options.CapacityBytes) is not TmemStatus.Ok and var status)
            throw new SoakFailure($"resize back: {status}");
    }

    private void Reattach()
    {
        Verify(quiescent: true, "after the load");
        var before = _engine.Statistics();
        _evictions += before.Total.Evictions;
        _refusals += before.Total.PutsNoRoom + before.Total.PutsPoolLimit + before.Total.PutsIncompressible;
        _moves += before.SlotsMoved;
        _engine.Dispose();
        _engine = _region.Open();
        _lives++;
        Verify(quiescent: true, "after attaching");
        var after = _engine.Statistics();
        if (!after.Pools.Select(Held).SequenceEqual(before.Pools.Select(Held)))
            throw new SoakFailure("an attachment did not bring back what was there");
        foreach (var worker in _workers)
        {
            worker.Attach(_engine);
            worker.CheckAll();
        }
        Verify(quiescent: true, "after reading everything back");

        static object Held(PoolSnapshot pool) =>
            (pool.Id, pool.Owner, pool.Options, pool.Statistics.Pages, pool.Statistics.Objects, pool.Statistics.CompressedBytes,
                pool.Statistics.SameFilledPages, pool.Statistics.RawPages);
    }

    private void Verify(bool quiescent, string when)
    {
        var report = _engine.Verify(quiescent);
        _verifications++;
        _pagesRead += report.PagesChecked;
        if (!report.Clean)
            throw new SoakFailure($"{when} the verifier found {report.Problems.Count} problems, first: {report.Problems[0]}");
    }

    private void Report()
    {
        _nextReport += s_report;
        var figures = _engine.Statistics();
        var total = figures.Total;
        var operations = _workers.Sum(worker => worker.Operations);
        _output.WriteLine(
            $"{_elapsed.Elapsed:hh\\:mm\\:ss}  {operations / 1e6,8:F1} M operations "
            + $"({operations / _elapsed.Elapsed.TotalSeconds / 1e3:F0} k/s)  "
            + $"{total.Pages,8} pages  {figures.UsedBytes >> 20,6} of {figures.CapacityBytes >> 20} MiB  {total.Evictions,9} "
            + "evictions  "
            + $"{total.PutsNoRoom,8} without room  {_lives,4} attachments  {_verifications,4} verifications");
    }

    private void Guard(Action work, CancellationTokenSource end)
    {
        try { work(); }
        catch (SoakFailure failure)
        {
            Fail(failure.Message);
            end.Cancel();
        }
    }

    private void Fail(string what) => Interlocked.CompareExchange(ref _failure, what, null);
}
