using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// Answers that leave later, and by another thread than the one that carried the request out. One thread waits for the device,
/// for all answers that wait for it: those that come while it does share the next write (<see cref="DeferredQueue"/>). Two others
/// go on a step of each in turn (<see cref="Stepper"/>): one talks to the kernel, which may take as long as a client does, and
/// one does work of the file system's own that takes long.
/// None takes part in serving, so what they wait for can be served meanwhile. Nothing is allocated once they run.
/// <para>
/// A process that is told to make room waits for none of them: what is still noted is its successor's, which gets those requests
/// sent again (<see cref="Forget"/>), or, from a kernel that cannot, does what is noted.
/// </para>
/// </summary>
internal sealed unsafe class DeferredReplies : IDisposable
{
    private const int StackBytes = 128 << 10;

    /// <summary>What the kernel is to let go of at once: it takes 2 to 4 ms.</summary>
    private const uint StepBytes = 16 << 20;

    private readonly IReadOnlyList<FuseDevice> _devices;
    private readonly IRequestHandler _handler;
    private readonly DeferredQueue _durable;
    private readonly Stepper _notifier;
    private readonly Stepper _dropper;
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
        _durable = new DeferredQueue(this, "fuse-fsync");
        _notifier = new Stepper(this, "fuse-notify", LetGo, stepsAreOurs: false, null, prepareNotifier);
        _dropper = new Stepper(this, "fuse-drop", Drop, stepsAreOurs: true, handler.DropSome, null);
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
        _notifier.Thread.Start();
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
        var reply = new DeferredReply
        {
            Kind = deferral.Kind, Node = deferral.Node.Value, Offset = deferral.Offset, Length = deferral.Length,
        };
        while (deferral.IsDrop ? Drop(ref reply) : LetGo(ref reply)) { }
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
        else if (deferral.IsWrite && error == Errno.Ok)
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
    public void StopNotifying() => _notifier.Hold();

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
            _notifier.AwaitLast();
            _dropper.AwaitLast();
        }
    }

    /// <summary>Waits for what is being waited for.</summary>
    public void Dispose()
    {
        Stop();
        foreach (var thread in (ReadOnlySpan<Thread>)[_durable.Thread, _notifier.Thread, _dropper.Thread])
            if (thread.IsAlive) thread.Join();
        Table.Dispose();
    }

    /// <summary>To those that wait for the same kind of thing. With the gate held.</summary>
    private void Add(int entry)
    {
        var deferral = Table[entry].Deferral;
        if (deferral.IsDrop) _dropper.Add(entry);
        else if (deferral.Kind == DeferralKind.Durable) _durable.Add(entry);
        else _notifier.Add(entry);
    }

    private bool Drop(ref DeferredReply reply) => _handler.DropSome(reply.Deferral);

    /// <summary>
    /// Has the kernel let go of a part of what it keeps of a file; what was changed there it writes back first. A write to the
    /// device cannot be interrupted, and a process that dies in one is dead when it ends: so in steps.
    /// </summary>
    private bool LetGo(ref DeferredReply reply)
    {
        var deferral = reply.Deferral;
        if (!deferral.IsOfAll)
        {
            _ = _devices[0].Invalidate(deferral.Node, deferral.Offset, deferral.Length);
            return false;
        }
        var isLast = _handler.SizeOf(deferral.Node) <= deferral.Offset + StepBytes;
        // No length is all from there on: what was written behind the end meanwhile too.
        var error = _devices[0].Invalidate(deferral.Node, deferral.Offset, isLast ? 0 : StepBytes);
        reply.Offset += StepBytes;
        return !isLast && error != Errno.ENOENT;
    }
}
