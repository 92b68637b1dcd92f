using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// The thread that keeps the store dense. It wakes twice a second. Where slack is more than a fiftieth of what the slabs hold, it
/// compacts in steps of a few hundred slots (about 0.1 ms), with a pause after each so that it does not take a processor from the
/// serving threads. When nothing is left to win it gives back strays (<see cref="SlabAllocator.PunchStrays"/>), and makes some
/// dense spans huge, if enabled.
/// </summary>
internal sealed class BackgroundCompaction : IDisposable
{
    private const int MovesAStep = 256;
    private const int StackBytes = 256 << 10;
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(1);

    /// <summary>Eight blocks in 0.7 s: 24 MiB a second, for at most 5 % of a processor.</summary>
    private const int HugeBlocksATime = 8;
    private static readonly TimeSpan s_pauseOfHuge = TimeSpan.FromMilliseconds(20);

    /// <summary>A minute.</summary>
    private const int MostRounds = 120;

    private readonly SlabAllocator _slabs;
    private readonly Compactor _compactor;
    private readonly HugeBlocks? _huge;
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private int _sinceLook;
    private int _lookEvery = 1;

    public BackgroundCompaction(SlabAllocator slabs, Compactor compactor, HugeBlocks? huge)
    {
        _slabs = slabs;
        _compactor = compactor;
        _huge = huge;
        _thread = new Thread(Run, StackBytes) { IsBackground = true, Name = "tmem-compact" };
        _thread.Start();
    }

    public void Dispose()
    {
        if (_stop.IsSet) return;
        _stop.Set();
        _thread.Join();
    }

    /// <summary>Backs off after a fruitless pass: each one visits all spans.</summary>
    private void LookForStrays()
    {
        if (++_sinceLook < _lookEvery) return;
        _sinceLook = 0;
        _lookEvery = _slabs.PunchStrays() ? 1 : Math.Min(2 * _lookEvery, MostRounds);
    }

    private void Run()
    {
        while (!_stop.Wait(s_interval))
        {
            while (_slabs.SlackBytes() > _slabs.Spans.Used / 50)
            {
                var moves = MovesAStep;
                if (!_compactor.TryStep(ref moves) || _stop.Wait(s_pause)) break;
            }
            LookForStrays();
            for (var i = 0; i < HugeBlocksATime && !_stop.IsSet && _huge?.Step() == true; i++) _stop.Wait(s_pauseOfHuge);
        }
    }
}
