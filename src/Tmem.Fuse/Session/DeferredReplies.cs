using Tmem.Fuse.Abi;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// Answers that leave later, and by another thread than the one that carried the request out. One thread waits for the device, for all answers that
/// wait for it: those that come while it does share the next write. A second one does, a step of each in turn, work of the file system's own that takes
/// long. Another one talks to the kernel, which may take as long as a client does.
/// Neither takes part in serving, so what they wait for can be served meanwhile. Nothing is allocated once they run.
/// <para>
/// A process that is told to make room waits for none of them: what is still noted is its successor's, which gets those requests sent again
/// (<see cref="Forget"/>), or, from a kernel that cannot, does what is noted.
/// </para>
/// </summary>
internal sealed unsafe class DeferredReplies : IDisposable
{
    private const int StackBytes = 128 << 10;

    private readonly DeferredTable _table;
    private readonly IReadOnlyList<FuseDevice> _devices;
    private readonly IRequestHandler _handler;
    private readonly object _gate = new();
    private readonly Queue _durable;
    private readonly Queue _invalidated;
    private readonly Dropper _dropped;
    private bool _started;
    private bool _stopped;
    private bool _saidFull;

    /// <param name="table">Where they are noted.</param>
    /// <param name="devices">All descriptors of the connection, by number.</param>
    /// <param name="handler">The protocol.</param>
    /// <param name="prepareNotifier">Run on the thread that talks to the kernel, before it does.</param>
    public DeferredReplies(DeferredTable table, IReadOnlyList<FuseDevice> devices, IRequestHandler handler, Action? prepareNotifier = null)
    {
        _table = table;
        _devices = devices;
        _handler = handler;
        _durable = new Queue(this, "fuse-fsync", null);
        _invalidated = new Queue(this, "fuse-notify", prepareNotifier);
        _dropped = new Dropper(this);
        handler.WorkLeft = _dropped.Wake;
    }

    /// <summary>
    /// Forgets what an earlier process left, and what was noted before <see cref="Start"/>: the kernel sends these requests again, under other numbers.
    /// </summary>
    public void Forget()
    {
        for (var entry = _table.NextInUse(0); entry != DeferredReply.Nobody; entry = _table.NextInUse(entry + 1)) _table.Remove(entry);
    }

    /// <summary>Begins to answer, what an earlier process left first.</summary>
    public void Start()
    {
        lock (_gate)
        {
            _started = true;
            for (var entry = _table.NextInUse(0); entry != DeferredReply.Nobody; entry = _table.NextInUse(entry + 1))
                Add(entry);
        }
        _durable.Start();
        _invalidated.Start();
        _dropped.Start();
    }

    /// <summary>
    /// Takes over an answer. It is noted when this returns: the request's buffer is free. False if no more can be noted, which takes more waiting
    /// threads than the kernel allows: then the caller has to <see cref="Await"/> what it waits for.
    /// </summary>
    public bool TryAdd(ulong unique, int device, in Deferral deferral)
    {
        lock (_gate)
        {
            // A process that died between noting it and marking its buffer done has left it in both.
            if (!_started && _table.Contains(unique)) return true;
            if (_table.TryAdd(unique, device, in deferral, out var entry))
            {
                if (_started) Add(entry);
                return true;
            }
            if (_saidFull) return false;
            _saidFull = true;
        }
        Log.Warning($"{_table.Capacity} requests wait for a device, and no more can be noted: session threads wait too. Was kernel.threads-max raised? Restart tmemd");
        return false;
    }

    /// <summary>Waits, on the caller's thread.</summary>
    public Errno Await(in Deferral deferral)
    {
        if (deferral.Kind == DeferralKind.Durable) return _handler.MakeDurable();
        if (deferral.IsDrop)
        {
            while (_handler.DropSome(in deferral)) { }
            return Errno.Ok;
        }
        // No length is all from there on.
        _ = _devices[0].Invalidate(deferral.Node, deferral.Offset, deferral.Kind == DeferralKind.AllInvalidated ? 0 : deferral.Length);
        return Errno.Ok;
    }

    /// <summary>
    /// Tells the kernel nothing more, and returns when it has done what it was told: it may wait for answers of ours, so whoever stops serving calls this before.
    /// </summary>
    public void StopNotifying() => _invalidated.Hold();

    /// <summary>
    /// Stops answering, dropping, and touching the table: when this returns, what is in it is the successor's. What is being waited for goes on, and comes to nothing.
    /// </summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopped = true;
            _handler.WorkLeft = null;
            Monitor.PulseAll(_gate);
            _dropped.AwaitStep();
        }
    }

    /// <summary>Waits for what is being waited for.</summary>
    public void Dispose()
    {
        Stop();
        _durable.Join();
        _invalidated.Join();
        _dropped.Join();
        _table.Dispose();
    }

    /// <summary>To those that wait for the same kind of thing. With the gate held.</summary>
    private void Add(int entry)
    {
        var deferral = _table[entry].Deferral;
        if (deferral.IsDrop) _dropped.Add(entry);
        else (deferral.Kind == DeferralKind.Durable ? _durable : _invalidated).Add(entry);
    }

    private void Answer(in DeferredReply reply, Errno error)
    {
        var message = stackalloc byte[FuseProtocol.OutHeaderSize + sizeof(FuseAttrOut)];
        var length = FuseProtocol.OutHeaderSize;
        var deferral = reply.Deferral;
        if (deferral.IsDrop)
        {
            error = _handler.Conclude(in deferral, new Span<byte>(message + length, sizeof(FuseAttrOut)), out var body);
            length += body;
        }
        else if (reply.Kind != DeferralKind.Durable && error == Errno.Ok)
        {
            *(FuseWriteOut*)(message + length) = new FuseWriteOut { Size = reply.Length };
            length += sizeof(FuseWriteOut);
        }
        *(FuseOutHeader*)message = new FuseOutHeader { Length = (uint)length, Error = -(int)error, Unique = reply.Unique };
        _devices[reply.Device].Reply(new ReadOnlySpan<byte>(message, length));
    }

    /// <summary>What waits for one kind of thing, and the thread that waits for it.</summary>
    private sealed class Queue
    {
        private readonly DeferredReplies _replies;
        private readonly Thread _thread;
        private int _first = DeferredReply.Nobody;
        private int _last = DeferredReply.Nobody;

        private readonly Action? _prepare;
        private bool _isHeld;
        private bool _isBusy;

        public Queue(DeferredReplies replies, string name, Action? prepare)
        {
            _replies = replies;
            _prepare = prepare;
            _thread = new Thread(Run, StackBytes) { IsBackground = true, Name = name };
        }

        public void Start() => _thread.Start();

        public void Join()
        {
            if (_thread.IsAlive) _thread.Join();
        }

        /// <summary>With the gate held.</summary>
        public void Add(int entry)
        {
            _replies._table[entry].Next = DeferredReply.Nobody;
            if (_last == DeferredReply.Nobody) _first = entry;
            else _replies._table[_last].Next = entry;
            _last = entry;
            Monitor.PulseAll(_replies._gate);
        }

        /// <summary>Takes nothing more, and returns when what it waits for has happened.</summary>
        public void Hold()
        {
            lock (_replies._gate)
            {
                _isHeld = true;
                while (_isBusy && !_replies._stopped) Monitor.Wait(_replies._gate);
            }
        }

        private void Run()
        {
            _prepare?.Invoke();
            while (TryTakeAll(out var entry))
            {
                var deferral = _replies._table[entry].Deferral;
                // One write of the device is for all of them; what the kernel lets go of is each one's own.
                var isShared = deferral.Kind == DeferralKind.Durable;
                var error = _replies.Await(in deferral);
                while (entry != DeferredReply.Nobody)
                {
                    if (!TryTake(entry, out var reply)) return;
                    _replies.Answer(in reply, error);
                    if (!TryRemove(entry)) return;
                    entry = reply.Next;
                    if (!isShared && entry != DeferredReply.Nobody) error = _replies.Await(_replies._table[entry].Deferral);
                }
            }
        }

        /// <summary>Waits until there is something, and takes the queue as it is. False if it is over.</summary>
        private bool TryTakeAll(out int entry)
        {
            lock (_replies._gate)
            {
                _isBusy = false;
                Monitor.PulseAll(_replies._gate);
                while ((_first == DeferredReply.Nobody || _isHeld) && !_replies._stopped) Monitor.Wait(_replies._gate);
                _isBusy = true;
                entry = _first;
                _first = _last = DeferredReply.Nobody;
                return !_replies._stopped;
            }
        }

        private bool TryTake(int entry, out DeferredReply reply)
        {
            lock (_replies._gate)
            {
                reply = _replies._table[entry];
                return !_replies._stopped;
            }
        }

        /// <summary>After the answer: a death in between leaves an entry whose answer the kernel refuses, and not a request without one.</summary>
        private bool TryRemove(int entry)
        {
            lock (_replies._gate)
            {
                if (_replies._stopped) return false;
                _replies._table.Remove(entry);
                return true;
            }
        }
    }
    /// <summary>
    /// What is dropped in steps, and the thread that does: a step of each in turn, so that a little does not wait for a lot, and
    /// between two of them one of what nobody waits for.
    /// </summary>
    private sealed class Dropper
    {
        private readonly DeferredReplies _replies;
        private readonly Thread _thread;
        private int _first = DeferredReply.Nobody;
        private int _last = DeferredReply.Nobody;
        private bool _isAwake = true;
        private bool _isBusy;

        public Dropper(DeferredReplies replies)
        {
            _replies = replies;
            _thread = new Thread(Run, StackBytes) { IsBackground = true, Name = "fuse-drop" };
        }

        public void Start() => _thread.Start();

        public void Join()
        {
            if (_thread.IsAlive) _thread.Join();
        }

        /// <summary>There is something that nobody waits for.</summary>
        public void Wake()
        {
            lock (_replies._gate)
            {
                _isAwake = true;
                Monitor.PulseAll(_replies._gate);
            }
        }

        /// <summary>With the gate held.</summary>
        public void Add(int entry)
        {
            _replies._table[entry].Next = DeferredReply.Nobody;
            if (_last == DeferredReply.Nobody) _first = entry;
            else _replies._table[_last].Next = entry;
            _last = entry;
            Monitor.PulseAll(_replies._gate);
        }

        /// <summary>Once it is over: returns when nothing is touched any more. With the gate held.</summary>
        public void AwaitStep()
        {
            while (_isBusy) Monitor.Wait(_replies._gate);
        }

        private void Run()
        {
            while (TryTake(out var entry, out var reply))
            {
                var isAwake = _replies._handler.DropSome();
                var deferral = reply.Deferral;
                var isLeft = entry != DeferredReply.Nobody && _replies._handler.DropSome(in deferral);
                if (entry != DeferredReply.Nobody && !isLeft) _replies.Answer(in reply, Errno.Ok);
                lock (_replies._gate)
                {
                    _isAwake |= isAwake;
                    if (isLeft) Add(entry);
                    // After the answer, as in the other queues.
                    else if (entry != DeferredReply.Nobody) _replies._table.Remove(entry);
                }
            }
        }

        /// <summary>Waits until there is something. False if it is over.</summary>
        private bool TryTake(out int entry, out DeferredReply reply)
        {
            lock (_replies._gate)
            {
                _isBusy = false;
                Monitor.PulseAll(_replies._gate);
                while (_first == DeferredReply.Nobody && !_isAwake && !_replies._stopped) Monitor.Wait(_replies._gate);
                entry = _replies._stopped ? DeferredReply.Nobody : _first;
                reply = default;
                if (_replies._stopped) return false;
                _isBusy = true;
                _isAwake = false;
                if (entry == DeferredReply.Nobody) return true;
                reply = _replies._table[entry];
                _first = reply.Next;
                if (_first == DeferredReply.Nobody) _last = DeferredReply.Nobody;
                return true;
            }
        }
    }
}
