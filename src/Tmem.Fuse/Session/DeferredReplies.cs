using System.Diagnostics;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// Replies that leave later, and from another thread than the one that carried the request out. One thread waits for the device,
/// for all replies that need it: those that come meanwhile share the next write (<see cref="DeferredQueue"/>). Two others take a
/// step of each reply in turn (<see cref="Stepper"/>): one notifies the kernel, which may take as long as a client does, and one
/// does long work of the file system itself. None takes part in serving, so what they wait for can be served meanwhile. Nothing
/// is allocated once they run.
/// <para>
/// A fourth sends no reply: it tells the kernel of names that are gone. The kernel waits then for the directory's lock, whose
/// holder (an unlink) may wait for a file's, whose holder (a change of its time) waits for a reply that one of the others sends.
/// </para>
/// <para>
/// A process that gives way waits for none of them: its successor inherits the notes, and gets those requests sent again (<see
/// cref="Forget"/>), or, from a kernel that cannot, carries out the notes.
/// </para>
/// </summary>
internal sealed unsafe class DeferredReplies : IDisposable
{
    private const int StackBytes = 128 << 10;

    /// <summary>What the kernel drops in one step: it takes 2 to 4 ms.</summary>
    private const uint StepBytes = 16 << 20;

    private readonly IReadOnlyList<FuseDevice> _devices;
    private readonly IRequestHandler _handler;
    private readonly DeferredQueue _durable;
    private readonly Stepper _notifier;
    private readonly Stepper _dropper;
    private readonly Stepper _forgetter;
    private bool _started;
    private bool _saidFull;

    /// <param name="table">The table of their notes.</param>
    /// <param name="devices">All descriptors of the connection, by number.</param>
    /// <param name="handler">The protocol.</param>
    /// <param name="prepareNotifier">Run on the thread that notifies the kernel of pages, first.</param>
    /// <param name="prepareForgetter">Run on the thread that notifies the kernel of names, first.</param>
    public DeferredReplies(
        DeferredTable table, IReadOnlyList<FuseDevice> devices, IRequestHandler handler, Action? prepareNotifier = null,
        Action? prepareForgetter = null)
    {
        Table = table;
        _devices = devices;
        _handler = handler;
        _durable = new DeferredQueue(this, "fuse-fsync");
        _notifier = new Stepper(this, "fuse-notify", LetGo, stepsAreOurs: false, null, prepareNotifier);
        _dropper = new Stepper(this, "fuse-drop", Drop, stepsAreOurs: true, handler.DropSome, null);
        _forgetter = new Stepper(this, "fuse-forget", NoReply, stepsAreOurs: false, ForgetOne, prepareForgetter);
        handler.WorkLeft = _dropper.Wake;
        handler.NamesLeft = _forgetter.Wake;
    }

    /// <summary>The table of their notes.</summary>
    public DeferredTable Table { get; }

    /// <summary>Held to access the table or a list in it; pulsed when there is work, or at the stop.</summary>
    public object Gate { get; } = new();

    /// <summary>Whether the table belongs to the successor. With the gate held.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>Makes a thread that sends deferred replies; not started.</summary>
    public static Thread MakeThread(string name, ThreadStart run) => new(run, StackBytes) { IsBackground = true, Name = name };

    /// <summary>
    /// Forgets the notes of an earlier process, and those from before <see cref="Start"/>: the kernel sends these requests again,
    /// under other numbers.
    /// </summary>
    public void Forget()
    {
        for (var entry = Table.NextInUse(0); entry != DeferredReply.Nobody; entry = Table.NextInUse(entry + 1))
            Table.Remove(entry);
    }

    /// <summary>Begins to send replies, those left by an earlier process first.</summary>
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
        _forgetter.Thread.Start();
    }

    /// <summary>
    /// Takes over a reply. It is noted when this returns: the request's buffer is free. False if the table is full, which takes
    /// more waiting threads than the kernel allows: then the caller must <see cref="Await"/> the deferral itself.
    /// </summary>
    /// <param name="unique">The request's number.</param>
    /// <param name="device">The descriptor that it was read through.</param>
    /// <param name="deferral">What the reply waits for.</param>
    /// <param name="measured">What its latency is counted as.</param>
    /// <param name="begun">When it began, as a time stamp; 0 if that is not known.</param>
    public bool TryAdd(ulong unique, int device, in Deferral deferral, RequestKind measured = default, long begun = 0)
    {
        lock (Gate)
        {
            // A process that died between noting the reply and marking its buffer done has left it in both.
            if (!_started && Table.Contains(unique)) return true;
            if (Table.TryAdd(unique, device, in deferral, out var entry, measured, Clock(begun)))
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

    /// <summary>Sends a reply whose wait is over.</summary>
    /// <param name="reply">The reply.</param>
    /// <param name="error">The result of the wait.</param>
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
        if (reply.Begun == 0) return;
        // Right for an hour, across the wrap too.
        var taken = unchecked(Clock(Stopwatch.GetTimestamp()) - reply.Begun);
        Latencies.AddShared(ref Table.Latencies, reply.Measured, taken * 1000L);
    }

    /// <summary>A time stamp in microseconds, its low bits; never 0 but for 0.</summary>
    private static uint Clock(long stamp) => stamp == 0 ? 0 : Math.Max((uint)(stamp / 1000), 1);

    /// <summary>
    /// Stops notifying the kernel, and returns when the notifications under way have ended: they may wait for our replies, so a
    /// session that stops serving calls this first.
    /// </summary>
    public void StopNotifying()
    {
        _notifier.Hold();
        _forgetter.Hold();
    }

    /// <summary>
    /// Stops replying, dropping, and touching the table: when this returns, its contents belong to the successor. A wait under
    /// way continues without effect.
    /// </summary>
    public void Stop()
    {
        lock (Gate)
        {
            IsStopped = true;
            _handler.WorkLeft = null;
            _handler.NamesLeft = null;
            Monitor.PulseAll(Gate);
            _notifier.AwaitLast();
            _dropper.AwaitLast();
            _forgetter.AwaitLast();
        }
    }

    /// <summary>Waits for the waits under way.</summary>
    public void Dispose()
    {
        Stop();
        foreach (var thread in (ReadOnlySpan<Thread>)[_durable.Thread, _notifier.Thread, _dropper.Thread, _forgetter.Thread])
            if (thread.IsAlive) thread.Join();
        Table.Dispose();
    }

    /// <summary>Adds an entry to the list of its kind. With the gate held.</summary>
    private void Add(int entry)
    {
        var deferral = Table[entry].Deferral;
        if (deferral.IsDrop) _dropper.Add(entry);
        else if (deferral.Kind == DeferralKind.Durable) _durable.Add(entry);
        else _notifier.Add(entry);
    }

    private static bool NoReply(ref DeferredReply reply) => false;

    private bool ForgetOne()
    {
        var name = stackalloc byte[byte.MaxValue];
        if (!_handler.TryTakeName(new Span<byte>(name, byte.MaxValue), out var directory, out var length)) return false;
        _ = _devices[0].InvalidateName(directory, new ReadOnlySpan<byte>(name, length));
        return true;
    }

    private bool Drop(ref DeferredReply reply) => _handler.DropSome(reply.Deferral);

    /// <summary>
    /// Has the kernel drop a part of its cached pages of a file, dirty ones written back first. A write to the device cannot be
    /// interrupted, and a process killed in one dies only when it ends: so in steps.
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
        // Length 0 means to the end: pages written behind the end meanwhile too.
        var error = _devices[0].Invalidate(deferral.Node, deferral.Offset, isLast ? 0 : StepBytes);
        reply.Offset += StepBytes;
        return !isLast && error != Errno.ENOENT;
    }
}
