using Tmem.Engine.Native;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Recompress;

/// <summary>
/// The thread that recompresses. It works for about a millisecond of its processor's time, by its own clock, and then pauses for
/// as long as its budget asks; training a dictionary takes a third of a second, and a pause as much longer. The budget is a
/// share of one processor, less where others wait for one, and a whole one while the store is nearly full of what cannot be
/// evicted: then it is either this or a refusal.
/// <para>A pass that changes nothing reads a header a slot, 30 ms a GiB; so after each such pass the next comes twice as late, up
/// to ten minutes.</para>
/// </summary>
internal sealed class BackgroundRecompression : IDisposable
{
    private const int SlotsAStep = 64;
    private const int StackBytes = 256 << 10;
    private const long SliceNanoseconds = 1_000_000;

    /// <summary>Nearly full: less than this part of the capacity is left, not counting what can be evicted.</summary>
    private const int NearlyFull = 16;

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_longestWait = TimeSpan.FromMinutes(10);

    private readonly Recompressor _recompressor;
    private readonly SlabAllocator _slabs;
    private readonly PoolTable _pools;
    private readonly RecompressionSettings _settings;
    private readonly MachineLoad _load = new();
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private long _spent;

    public BackgroundRecompression(Recompressor recompressor, SlabAllocator slabs, PoolTable pools,
        RecompressionSettings settings)
    {
        _recompressor = recompressor;
        _slabs = slabs;
        _pools = pools;
        _settings = settings;
        _thread = new Thread(Run, StackBytes) { IsBackground = true, Name = "tmem-recompress" };
        _thread.Start();
    }

    /// <summary>Processor time used.</summary>
    public TimeSpan Spent => TimeSpan.FromMicroseconds(Volatile.Read(ref _spent) / 1000);

    /// <summary>Whether little is left of the store that eviction could not give.</summary>
    public bool IsNearlyFull
    {
        get
        {
            var spans = _slabs.Spans;
            long evictable = 0;
            foreach (var pool in _pools.Known())
                if (!pool.IsPersistent) evictable += pool.Memory;
            return spans.Capacity - (spans.Used - spans.ReadyBytes - _slabs.SlackBytes() - evictable)
                < spans.Capacity / NearlyFull;
        }
    }

    public void Dispose()
    {
        if (_stop.IsSet) return;
        _stop.Set();
        _thread.Join();
        _load.Dispose();
    }

    private void Run()
    {
        var wait = _settings.Age;
        var due = Environment.TickCount64;
        var isUrgent = false;
        while (!_stop.Wait(s_look))
        {
            isUrgent = IsNearlyFull;
            if (Environment.TickCount64 < due - (isUrgent ? (long)wait.TotalMilliseconds * 9 / 10 : 0)) continue;
            var began = Environment.TickCount64;
            var changed = _recompressor.Changed;
            Pass();
            wait = _recompressor.Changed != changed ? _settings.Age
                : TimeSpan.FromTicks(Math.Min(2 * wait.Ticks, s_longestWait.Ticks));
            due = began + (long)wait.TotalMilliseconds;
        }
    }

    /// <summary>One pass, within the budget; or as much of it as there is time for.</summary>
    private void Pass()
    {
        var share = Share();
        var looked = Environment.TickCount64;
        var on = true;
        while (on)
        {
            var began = SystemCalls.ThreadTime();
            long spent;
            do
            {
                on = _recompressor.Step(SlotsAStep);
                spent = SystemCalls.ThreadTime() - began;
            }
            while (on && spent < SliceNanoseconds);
            Interlocked.Add(ref _spent, spent);
            if (Environment.TickCount64 - looked > s_look.TotalMilliseconds)
            {
                share = Share();
                looked = Environment.TickCount64;
            }
            if (_stop.Wait(TimeSpan.FromMicroseconds(spent / 1000 * (1 / share - 1)))) return;
        }
    }

    private double Share() => IsNearlyFull ? 1 : Math.Clamp(_settings.Share * _load.Part, 0.001, 1);
}
