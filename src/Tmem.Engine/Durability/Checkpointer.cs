using System.Diagnostics;
using Tmem.Engine.Native;
using Tmem.Engine.Region;

namespace Tmem.Engine.Durability;

/// <summary>
/// The thread that makes checkpoints: on request, and often enough that a power cut loses no more than an interval. Requests made
/// while a checkpoint is under way share the next one, because it begins after them; each is answered as soon as its checkpoint
/// is durable. A failed checkpoint is retried unasked, at first after a second and then less often, so that a disk that has room
/// again is noticed. One whose file has lost its name is written all the same, so that whoever has the file open has all of it,
/// and is no success; a name does not come back, so nothing is retried for it.
/// </summary>
internal sealed class Checkpointer : IDisposable
{
    private const int StackBytes = 256 << 10;
    private static readonly TimeSpan s_firstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longestRetry = TimeSpan.FromSeconds(30);

    private readonly RegionImage _image;
    private readonly Checkpoint _checkpoint;
    private readonly TimeSpan _interval;
    private readonly Func<bool> _shed;
    private readonly Action<TmemNotice>? _notice;
    private readonly object _gate = new();
    private readonly Thread _thread;
    private readonly Queue<(long Number, TaskCompletionSource<TmemStatus> Outcome)> _awaited = [];
    private long _asked;
    private long _answered;
    private long _durable;
    private int _error;
    private bool _isRemoved;
    private bool _removalTold;
    private string? _movedTo;
    private bool _stop;
    private TimeSpan _retry;
    private long _failedSince;
    private int _failedInARow;
    private bool _wasUnquiet;
    private DurabilityStatistics _figures;

    /// <param name="image">The image; the checkpointer then owns it.</param>
    /// <param name="checkpoint">Makes one.</param>
    /// <param name="interval">The longest between two; zero makes them only on request.</param>
    /// <param name="shed">Releases unused memory, for a disk without room for it; false if there was none.</param>
    /// <param name="notice">Receives messages for the administrator, on the checkpointer's thread.</param>
    public Checkpointer(RegionImage image, Checkpoint checkpoint, TimeSpan interval, Func<bool> shed,
        Action<TmemNotice>? notice = null)
    {
        _shed = shed;
        _notice = notice;
        _figures = new DurabilityStatistics { Tracking = image.Tracker.Kind };
        _image = image;
        _checkpoint = checkpoint;
        _interval = interval > TimeSpan.Zero ? interval : Timeout.InfiniteTimeSpan;
        _thread = new Thread(Run, StackBytes) { IsBackground = true, Name = "tmem-sync" };
        _thread.Start();
    }

    /// <summary>Whether the file has been removed is looked at now: nobody may have synced since.</summary>
    public DurabilityStatistics Figures
    {
        get
        {
            lock (_gate) return _figures with { FileRemoved = _image.RemovedAt is not null };
        }
    }

    internal Checkpoint Checkpoint => _checkpoint;
    internal long Waiting { get { lock (_gate) return _asked - _answered; } }

    /// <summary>Returns when a checkpoint that began after the call is durable, or has failed.</summary>
    public TmemStatus Sync() => End(Begin());

    /// <summary>
    /// Requests a checkpoint that begins after the call, without waiting. Returns a number for <see cref="End"/> and
    /// <see cref="TryEnd"/>.
    /// </summary>
    public long Begin()
    {
        lock (_gate)
        {
            var mine = ++_asked;
            Monitor.PulseAll(_gate);
            return mine;
        }
    }

    /// <summary>Waits for a requested checkpoint. Numbers are answered in their order.</summary>
    public TmemStatus End(long number)
    {
        lock (_gate)
        {
            while (_answered < number) Monitor.Wait(_gate);
            return OutcomeOf(number);
        }
    }

    /// <summary>As <see cref="Begin"/> and <see cref="End"/>, without a waiting thread.</summary>
    public Task<TmemStatus> SyncAsync()
    {
        var outcome = new TaskCompletionSource<TmemStatus>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate) _awaited.Enqueue((Begin(), outcome));
        return outcome.Task;
    }

    /// <summary>The outcome of a request; false while there is none.</summary>
    public bool TryEnd(long number, out TmemStatus status)
    {
        lock (_gate)
        {
            status = OutcomeOf(number);
            return _answered >= number;
        }
    }

    /// <summary>Makes a last checkpoint; if it succeeds, the file then holds the image alone.</summary>
    public void Dispose()
    {
        _ = Sync();
        lock (_gate)
        {
            _stop = true;
            Monitor.PulseAll(_gate);
        }
        _thread.Join();
        // If something could not be made durable or applied, the next process to open the file may need the journal.
        if (_error == 0 && _checkpoint.Apply() == 0) _ = _image.Journal.Remove();
        _checkpoint.Dispose();
        _image.Dispose();
    }

    /// <summary>A failed one is Ok once a later one is durable: that covers it.</summary>
    private TmemStatus OutcomeOf(long number) => _durable >= number ? TmemStatus.Ok
        : _isRemoved ? TmemStatus.FileRemoved : StatusOf(_error);

    private static TmemStatus StatusOf(int error) => Journal.IsFull(error) ? TmemStatus.DiskFull : TmemStatus.DiskError;

    private void Run()
    {
        // Finishes what an earlier process made durable and did not apply.
        _ = _checkpoint.Apply();
        TellOfName(_image.RemovedAt);
        while (WaitForWork(out var serves))
        {
            var error = _checkpoint.Run();
            // Contents stored and removed again still take room in the region, and in what would be written.
            if (Journal.IsFull(error) && _shed()) error = _checkpoint.Run();
            TmemNotice? notice;
            // After the write: a file that was removed meanwhile holds nothing for anybody.
            var removedAt = _image.RemovedAt;
            lock (_gate)
            {
                _answered = serves;
                _error = error;
                _isRemoved = removedAt is not null;
                if (error == 0 && !_isRemoved) _durable = serves;
                Note(error);
                notice = NoticeOf(error);
                while (_awaited.TryPeek(out var next) && next.Number <= serves)
                    _awaited.Dequeue().Outcome.SetResult(OutcomeOf(next.Number));
                Monitor.PulseAll(_gate);
            }
            if (error == 0) _ = _checkpoint.Apply();
            if (notice is { } one) _notice?.Invoke(one);
            TellOfName(removedAt);
            if (!_checkpoint.WasQuiet && !_wasUnquiet)
            {
                _wasUnquiet = true;
                _notice?.Invoke(
                    new TmemNotice(IsProblem: false, $"a checkpoint of {_image.Name} did not become quiet, because somebody "
                    + "changes sizes or times of files without a rest: those are each as they were at some moment of it; not "
                    + "said again"));
            }
        }
    }

    private bool WaitForWork(out long serves)
    {
        lock (_gate)
        {
            var wait = _error == 0 || _isRemoved ? _interval
                : _interval < _retry && _interval > TimeSpan.Zero ? _interval : _retry;
            while (!_stop && _asked == _answered && Monitor.Wait(_gate, wait)) { }
            serves = _asked;
            return !_stop;
        }
    }

    private void Note(int error) => _figures = _figures with
    {
        Checkpoints = _figures.Checkpoints + (error == 0 && !_isRemoved && _checkpoint.Pages > 0 ? 1 : 0),
        Failures = _figures.Failures + (error == 0 && !_isRemoved ? 0 : 1),
        LastFailed = error != 0,
        BytesBehind = error == 0 ? 0 : _checkpoint.BytesBehind,
        Unquiet = _figures.Unquiet + (error == 0 && !_checkpoint.WasQuiet ? 1 : 0),
        Pages = _figures.Pages + _checkpoint.Pages,
        LongestStandstill = _checkpoint.Held > _figures.LongestStandstill ? _checkpoint.Held : _figures.LongestStandstill,
    };

    /// <summary>
    /// Reports once that the file has been removed, and each new place that it was moved to: at a start by its old name, another
    /// file would be made or found there. After the waiting are answered, because looking at a path may take long.
    /// </summary>
    private void TellOfName(string? removedAt)
    {
        var movedTo = removedAt is null ? _image.MovedTo : null;
        var isNew = removedAt is not null != _removalTold || movedTo != _movedTo;
        if (!isNew) return;
        _removalTold = removedAt is not null;
        lock (_gate) _figures = _figures with { FileMovedTo = _movedTo = movedTo };
        _notice?.Invoke(removedAt is not null
            ? new TmemNotice(IsProblem: true,
                $"{_image.Name} has been removed or replaced: what is stored would be gone with this process, and a sync fails. "
                + "Copy what is needed elsewhere, or save the removed file, which goes on being written: before this process "
                + $"ends, another opens {removedAt} and then copies it") { IsFailure = true }
            : movedTo is not null
                ? new TmemNotice(IsProblem: true,
                    $"{_image.Name} is now at {movedTo}: start with that, or move it back. At the old name the next start "
                    + "would not find it")
                : new TmemNotice(IsProblem: false, $"{_image.Name} has its name again"));
    }

    /// <summary>Reports the first failure, and its end; those between are counted. Not of a file that has been removed.</summary>
    private TmemNotice? NoticeOf(int error)
    {
        if (error == 0)
        {
            if (_failedInARow == 0 || _isRemoved) return null;
            var notice = new TmemNotice(IsProblem: false, $"{_image.Name} is written again, after {_failedInARow} failures "
                + $"in {Stopwatch.GetElapsedTime(_failedSince).TotalSeconds:0} s: everything is durable");
            _failedInARow = 0;
            _retry = TimeSpan.Zero;
            return notice;
        }
        _retry = _retry == TimeSpan.Zero ? s_firstRetry : _retry * 2 < s_longestRetry ? _retry * 2 : s_longestRetry;
        if (_isRemoved || _failedInARow++ > 0) return null;
        _failedSince = Stopwatch.GetTimestamp();
        var free = _image.FreeBytes;
        var isFull = Journal.IsFull(error);
        var isLimit = FileFacts.IsLimit(error);
        var room = isFull && free >= 0 && !isLimit
            ? $" ({free >> 10} KiB are free, and up to {_checkpoint.BytesBehind >> 9} may be needed)" : "";
        return new TmemNotice(IsProblem: true,
            $"{_image.Name} cannot be written: {FileFacts.Describe(error)}{room}. Nothing is lost: the "
            + "store goes on in memory, and the file holds the last state that was made durable; a sync fails until this one "
            + "works, which is "
            + $"tried again every {s_longestRetry.TotalSeconds:0} s at the latest. "
            + (isLimit ? "Remedy: " + FileSizeLimit.Remedy : isFull ? "Make room on its disk" : "See to its disk"))
        {
            IsFailure = true,
        };
    }
}
