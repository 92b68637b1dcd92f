using Tmds.Linux;

namespace Tmem.Engine.Durability;

/// <summary>
/// The thread that makes checkpoints: when one is asked for, and so often that a power cut loses no more than an interval. Those who ask
/// while one is under way share the next, because it begins after their call; each is told as soon as its checkpoint is durable.
/// </summary>
internal sealed class Checkpointer : IDisposable
{
    private const int StackBytes = 256 << 10;

    private readonly RegionImage _image;
    private readonly Checkpoint _checkpoint;
    private readonly TimeSpan _interval;
    private readonly object _gate = new();
    private readonly Thread _thread;
    private long _asked;
    private long _answered;
    private long _durable;
    private int _error;
    private bool _stop;
    private DurabilityStatistics _figures = new();

    /// <param name="image">The image, which then belongs to this.</param>
    /// <param name="checkpoint">Makes one.</param>
    /// <param name="interval">The longest between two; zero makes them only when asked.</param>
    public Checkpointer(RegionImage image, Checkpoint checkpoint, TimeSpan interval)
    {
        _image = image;
        _checkpoint = checkpoint;
        _interval = interval > TimeSpan.Zero ? interval : Timeout.InfiniteTimeSpan;
        _thread = new Thread(Run, StackBytes) { IsBackground = true, Name = "tmem-sync" };
        _thread.Start();
    }

    public DurabilityStatistics Figures { get { lock (_gate) return _figures; } }

    internal Checkpoint Checkpoint => _checkpoint;
    internal long Waiting { get { lock (_gate) return _asked - _answered; } }

    /// <summary>Returns when a checkpoint that began after the call is durable, or has failed.</summary>
    public TmemStatus Sync() => End(Begin());

    /// <summary>Asks for a checkpoint that begins after the call, and waits for nothing. Answers a number for the two that follow.</summary>
    public long Begin()
    {
        lock (_gate)
        {
            var mine = ++_asked;
            Monitor.PulseAll(_gate);
            return mine;
        }
    }

    /// <summary>Waits for what was asked for. Numbers are answered in their order.</summary>
    public TmemStatus End(long number)
    {
        lock (_gate)
        {
            while (_answered < number) Monitor.Wait(_gate);
            return OutcomeOf(number);
        }
    }

    /// <summary>What became of what was asked for; false while nothing has.</summary>
    public bool TryEnd(long number, out TmemStatus status)
    {
        lock (_gate)
        {
            status = OutcomeOf(number);
            return _answered >= number;
        }
    }

    /// <summary>A last checkpoint; if it succeeds, the file then holds the image alone.</summary>
    public void Dispose()
    {
        var last = Sync();
        lock (_gate)
        {
            _stop = true;
            Monitor.PulseAll(_gate);
        }
        _thread.Join();
        // What could not be made durable or written in place leaves a journal that the next one to open the file may need.
        if (last == TmemStatus.Ok && _checkpoint.Apply() == 0) _ = _image.Journal.Remove();
        _checkpoint.Dispose();
        _image.Dispose();
    }

    /// <summary>One that failed is Ok once a later one is durable: that has all of it.</summary>
    private TmemStatus OutcomeOf(long number) => _durable >= number ? TmemStatus.Ok : StatusOf(_error);

    private static TmemStatus StatusOf(int error) =>
        error == LibC.ENOSPC || error == LibC.EDQUOT || error == LibC.EFBIG ? TmemStatus.DiskFull : TmemStatus.DiskError;

    private void Run()
    {
        while (WaitForWork(out var serves))
        {
            var error = _checkpoint.Run();
            lock (_gate)
            {
                _answered = serves;
                _error = error;
                if (error == 0) _durable = serves;
                Note(error);
                Monitor.PulseAll(_gate);
            }
            if (error == 0) _ = _checkpoint.Apply();
        }
    }

    private bool WaitForWork(out long serves)
    {
        lock (_gate)
        {
            while (!_stop && _asked == _answered && Monitor.Wait(_gate, _interval)) { }
            serves = _asked;
            return !_stop;
        }
    }

    private void Note(int error) => _figures = _figures with
    {
        Checkpoints = _figures.Checkpoints + (error == 0 && _checkpoint.Pages > 0 ? 1 : 0),
        Failures = _figures.Failures + (error == 0 ? 0 : 1),
        LastFailed = error != 0,
        Pages = _figures.Pages + _checkpoint.Pages,
        LongestStandstill = _checkpoint.Held > _figures.LongestStandstill ? _checkpoint.Held : _figures.LongestStandstill,
    };
}
