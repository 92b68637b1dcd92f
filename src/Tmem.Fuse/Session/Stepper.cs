using Tmem.Fuse.Native;

namespace Tmem.Fuse.Session;

/// <summary>
/// Deferred replies that wait for long work, and the thread that does it: a step of each in turn, so that a little work does not
/// wait for a lot, and between two of them a step of background work.
/// </summary>
internal sealed class Stepper
{
    private readonly DeferredReplies _replies;
    private readonly DeferredList _list;
    private readonly Step _step;
    private readonly Func<bool>? _aside;
    private readonly Action? _prepare;
    private readonly bool _stepsAreOurs;
    private bool _isAwake;
    private bool _isHeld;
    private bool _isBusy;
    private bool _isAwaited;

    /// <param name="replies">The owner of the replies.</param>
    /// <param name="name">The thread's name.</param>
    /// <param name="step">Does a step.</param>
    /// <param name="stepsAreOurs">
    /// Whether a step touches what belongs to the successor after a stop; else it is in the kernel, and a stop does not wait for
    /// it.
    /// </param>
    /// <param name="aside">Does a step of background work; false if none is left.</param>
    /// <param name="prepare">Run on the thread, first.</param>
    public Stepper(DeferredReplies replies, string name, Step step, bool stepsAreOurs, Func<bool>? aside, Action? prepare)
    {
        _replies = replies;
        _list = new DeferredList(replies.Table);
        _step = step;
        _stepsAreOurs = stepsAreOurs;
        _aside = aside;
        _isAwake = aside is not null;
        _prepare = prepare;
        Thread = DeferredReplies.MakeThread(name, Run);
    }

    /// <summary>A step of the work that a reply waits for; the reply notes the progress. False if nothing is left.</summary>
    public delegate bool Step(ref DeferredReply reply);

    public Thread Thread { get; }

    /// <summary>Signals background work.</summary>
    public void Wake()
    {
        lock (_replies.Gate)
        {
            _isAwake = true;
            Monitor.PulseAll(_replies.Gate);
        }
    }

    /// <summary>With the gate held.</summary>
    public void Add(int entry)
    {
        _list.Add(entry);
        Monitor.PulseAll(_replies.Gate);
    }

    /// <summary>Takes no further step, and returns when the one under way is done.</summary>
    public void Hold()
    {
        lock (_replies.Gate)
        {
            _isHeld = true;
            while (_isBusy && !_replies.IsStopped) Monitor.Wait(_replies.Gate);
        }
    }

    /// <summary>After a stop: returns when nothing is touched any more. With the gate held.</summary>
    public void AwaitLast()
    {
        while (_isAwaited) Monitor.Wait(_replies.Gate);
    }

    private void Run()
    {
        _prepare?.Invoke();
        while (TryTake(out var entry, out var reply))
        {
            var isAwake = _aside?.Invoke() ?? false;
            var isThere = entry != DeferredReply.Nobody;
            var isLeft = isThere && _step(ref reply);
            if (!TryGoOn()) return;
            if (isThere && !isLeft) _replies.Answer(in reply, Errno.Ok);
            lock (_replies.Gate)
            {
                _isAwake |= isAwake;
                if (isLeft)
                {
                    _replies.Table[entry].Offset = reply.Offset;
                    _list.Add(entry);
                }
                // After the reply: a death in between leaves an entry whose reply the kernel refuses, not a request without a
                // reply.
                else if (isThere) _replies.Table.Remove(entry);
            }
        }
    }

    /// <summary>Waits for an entry. False once stopped.</summary>
    private bool TryTake(out int entry, out DeferredReply reply)
    {
        lock (_replies.Gate)
        {
            _isBusy = _isAwaited = false;
            Monitor.PulseAll(_replies.Gate);
            while ((_isHeld || (_list.IsEmpty && !_isAwake)) && !_replies.IsStopped) Monitor.Wait(_replies.Gate);
            (entry, reply) = (DeferredReply.Nobody, default);
            if (_replies.IsStopped) return false;
            _isBusy = true;
            _isAwaited = _stepsAreOurs;
            _isAwake = false;
            entry = _list.TakeFirst();
            if (entry != DeferredReply.Nobody) reply = _replies.Table[entry];
            return true;
        }
    }

    /// <summary>Called after a step of background work. False once stopped: the rest belongs to the successor.</summary>
    private bool TryGoOn()
    {
        lock (_replies.Gate)
        {
            if (_replies.IsStopped && !_isAwaited) return false;
            _isAwaited = true;
            return true;
        }
    }
}
