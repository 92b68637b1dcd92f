using Tmem.Engine.Region;

namespace Tmem.Engine.Reclaim;

/// <summary>
/// The thread that keeps the store dense. It looks twice a second, and where slack is more than a fiftieth of what the slabs hold it compacts in
/// steps of a few hundred slots (about 0.1 ms), with a pause after each so that it never takes a processor from those who serve.
/// </summary>
internal sealed class BackgroundCompaction : IDisposable
{
    private const int MovesAStep = 256;
    private const int StackBytes = 256 << 10;
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(1);

    private readonly SlabAllocator _slabs;
    private readonly Compactor _compactor;
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;

    public BackgroundCompaction(SlabAllocator slabs, Compactor compactor)
    {
        _slabs = slabs;
        _compactor = compactor;
        _thread = new Thread(Run, StackBytes) { IsBackground = true, Name = "tmem-compact" };
        _thread.Start();
    }

    public void Dispose()
    {
        if (_stop.IsSet) return;
        _stop.Set();
        _thread.Join();
    }

    private void Run()
    {
        while (!_stop.Wait(s_interval))
        {
            while (_slabs.SlackBytes() > _slabs.Spans.Used / 50)
            {
                var moves = MovesAStep;
                if (!_compactor.Step(ref moves, thorough: false) || _stop.Wait(s_pause)) break;
            }
        }
    }
}
