using Tmem.Fuse.Abi;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// Answers that leave later, and by another thread than the one that carried the request out. One thread waits for the device,
/// for all answers that wait for it: those that come while it does share the next write. Another one talks to the kernel, which
/// may take as long as a client does (<see cref="DeferredQueue"/>). A third one does, a step of each in turn, work of the file
/// system's own that takes long (<see cref="Dropper"/>).
/// None takes part in serving, so what they wait for can be served meanwhile. Nothing is allocated once they run.
/// <para>
/// A process that is told to make room waits for none of them: what is still noted is its successor's, which gets those requests
/// sent again (<see cref="Forget"/>), or, from a kernel that cannot, does what is noted.
/// </para>
/// </summary>
internal sealed unsafe class DeferredReplies : IDisposable
{
    private const int StackBytes = 128 << 10;

    private readonly IReadOnlyList<FuseDevice> _devices;
    private readonly IRequestHandler _handler;
    private readonly DeferredQueue _durable;
    private readonly DeferredQueue _invalidated;
    private readonly Dropper _dropper;
    private bool _started;
    private bool _saidFull;

    /// <param name="table">Where they are noted.</param>
    /// <param name="devices">All descriptors of the connection, by number.</param>
    /// <param name="handler">The protocol.</param>
    /// <param name="prepareNotifier">Run on the thread that talks to the kernel, before it does.</param>
    public DeferredReplies(
        DeferredTable table, IReadOnlyList<FuseDevice> devices, IRequestHandler handler, Action? prepareNotifier = null)
    {
        Table = table;
        _devices = devices;
        _handler = handler;
        _durable = new DeferredQueue(this, "fuse-fsync", null);
        _invalidated = new DeferredQueue(this, "fuse-notify", prepareNotifier);
        _dropper = new Dropper(this, handler);
        handler.WorkLeft = _dropper.Wake;
    }

    /// <summary>Where they are noted.</summary>
    public DeferredTable Table { get; }

    /// <summary>Held by whoever touches the table or a list in it; pulsed when there is something to do, or it is over.</summary>
    public object Gate { get; } = new();

    /// <summary>Whether the table is the successor's. With the gate held.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>A thread that answers; not started.</summary>
    public static Thread MakeThread(string name, ThreadStart run) => new(run, StackBytes) { IsBackground = true, Name = name };

    /// <summary>
    /// Forgets what an earlier process left, and what was noted before <see cref="Start"/>: the kernel sends these requests
    /// again, under other numbers.
    /// </summary>
    public void Forget()
    {
        for (var entry = Table.NextInUse(0); entry != DeferredReply.Nobody; entry = Table.NextInUse(entry + 1))
            Table.Remove(entry);
    }

    /// <summary>Begins to answer, what an earlier process left first.</summary>
    public void Start()
    {
        lock (Gate)
        {
            _started = true;
            for (var entry = Table.NextInUse(0); entry != DeferredReply.Nobody; entry = Table.NextInUse(entry + 1)) Add(entry);
        }
        _durable.Thread.Start();
        _invalidated.Thread.Start();
        _dropper.Thread.Start();
    }

    /// <summary>
    /// Takes over an answer. It is noted when this returns: the request's buffer is free. False if no more can be noted, which
    /// takes more waiting threads than the kernel allows: then the caller has to <see cref="Await"/> what it waits for.
    /// </summary>
    public bool TryAdd(ulong unique, int device, in Deferral deferral)
    {
        lock (Gate)
        {
            // A process that died between noting it and marking its buffer done has left it in both.
            if (!_started && Table.Contains(unique)) return true;
            if (Table.TryAdd(unique, device, in deferral, out var entry))
            {
                if (_started) Add(entry);
                return true;
            }
            if (_saidFull) return false;
            _saidFull = true;
        }
        Log.Warning($"{Table.Capacity} requests wait for a device, and no more can be noted: session threads wait too. " +
            "Was kernel.threads-max raised? Restart tmemd");
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
        // No length is all from there on. What was changed in these pages the kernel writes back first.
        var length = deferral.Kind == DeferralKind.AllInvalidated ? 0 : deferral.Length;
        _ = _devices[0].Invalidate(deferral.Node, deferral.Offset, length);
        return Errno.Ok;
    }

    /// <summary>Sends an answer whose wait is over.</summary>
    /// <param name="reply">The answer.</param>
    /// <param name="error">What the wait came to.</param>
    public void Answer(in DeferredReply reply, Errno error)
    {
        var message = stackalloc byte[FuseProtocol.OutHeaderSize + sizeof(FuseAttrOut)];
        var length = FuseProtocol.OutHeaderSize;
        var deferral = reply.Deferral;
        if (deferral.IsDrop || deferral.HasAttributes)
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

    /// <summary>
    /// Tells the kernel nothing more, and returns when it has done what it was told: it may wait for answers of ours, so whoever
    /// stops serving calls this before.
    /// </summary>
    public void StopNotifying() => _invalidated.Hold();

    /// <summary>
    /// Stops answering, dropping, and touching the table: when this returns, what is in it is the successor's. What is being
    /// waited for goes on, and comes to nothing.
    /// </summary>
    public void Stop()
    {
        lock (Gate)
        {
            IsStopped = true;
            _handler.WorkLeft = null;
            Monitor.PulseAll(Gate);
            _dropper.AwaitStep();
        }
    }

    /// <summary>Waits for what is being waited for.</summary>
    public void Dispose()
    {
        Stop();
        foreach (var thread in (ReadOnlySpan<Thread>)[_durable.Thread, _invalidated.Thread, _dropper.Thread])
            if (thread.IsAlive) thread.Join();
        Table.Dispose();
    }

    /// <summary>To those that wait for the same kind of thing. With the gate held.</summary>
    private void Add(int entry)
    {
        var deferral = Table[entry].Deferral;
        if (deferral.IsDrop) _dropper.Add(entry);
        else (deferral.Kind == DeferralKind.Durable ? _durable : _invalidated).Add(entry);
    }
}
