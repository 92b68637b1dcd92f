using System.Diagnostics;
using System.Runtime.InteropServices;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>Settings of a session.</summary>
/// <param name="Spin">How long the leading thread polls for the next request before it sleeps.</param>
/// <param name="Requests">The buffers that requests are read into.</param>
/// <param name="Deferred">Sends the deferred replies; started already. The session stops and disposes of it at its end.</param>
/// <param name="PrepareThread">Run on each session thread before its first request.</param>
/// <param name="Moved">Counts what requests and replies move.</param>
internal sealed record SessionOptions(TimeSpan Spin, RequestBuffers Requests, DeferredReplies Deferred,
    Action? PrepareThread = null, MovedPages? Moved = null);

/// <summary>Why a session ended.</summary>
internal enum SessionEnd
{
    /// <summary>The file system was unmounted.</summary>
    Unmounted,
    /// <summary>The connection was aborted through fusectl.</summary>
    Aborted,
    /// <summary>The device failed unexpectedly.</summary>
    Failed,
    /// <summary>It was asked to stop: everything read is answered, and the connection lives on.</summary>
    Quiesced,
}

/// <summary>
/// Serves a connection with dedicated threads, one a descriptor: read, dispatch, write. Leader and followers: one thread reads,
/// the others sleep, because waking a thread costs more than a small request does. The leader answers quick requests itself; it
/// passes the lead before a request that may take long, or when more are pending. After a request it polls for the next one a
/// while before it sleeps, which saves its own wake-up: random 4 KiB direct reads of one client took 18 us with 100 us of polling
/// and 56 us without (2 cores, an in-memory file system); yielding the core between two polls gained nothing. No thread here
/// waits for a device: see <see cref="DeferredReplies"/>. Descriptors never block, so that only the leader waits, in poll(2).
/// Threads have small stacks, and everything they touch is allocated and locked before the first request is read.
/// </summary>
internal sealed class FuseSession : IDisposable
{
    private const int StackSize = 256 << 10;

    /// <summary>Milliseconds. Every request is done in bounded steps; on the slowest machine in a second or two.</summary>
    private const long LongestRequest = 30_000;

    private readonly IRequestHandler _handler;
    private readonly SessionOptions _options;
    private readonly long _spinTicks;
    private readonly Baton _baton = new();
    private readonly StopEvent _stop = new();
    private readonly List<Worker> _workers = [];
    private readonly TaskCompletionSource<SessionEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _running;
    private int _endReason = -1;
    private long _taken;
    private long _takenBefore;

    /// <summary>Allocates the threads' buffers; reads nothing yet.</summary>
    /// <param name="devices">One descriptor a thread.</param>
    /// <param name="handler">The protocol.</param>
    /// <param name="options">Settings.</param>
    public FuseSession(IReadOnlyList<FuseDevice> devices, IRequestHandler handler, SessionOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfZero(devices.Count);
        _handler = handler;
        _options = options;
        _spinTicks = (long)(options.Spin.TotalSeconds * Stopwatch.Frequency);
        for (var i = 0; i < devices.Count; i++) _workers.Add(new Worker(this, devices[i], i));
        var unlocked = _workers.Select(w => w.LockError).FirstOrDefault(e => e != Errno.Ok);
        if (unlocked != Errno.Ok)
            Log.Warning(
                $"The session buffers cannot be locked in memory: {Libc.Describe(unlocked)}. Give tmemd CAP_IPC_LOCK or raise "
                + "its memlock limit.");
    }

    /// <summary>Completes when the last thread has ended.</summary>
    public Task<SessionEnd> Ended => _ended.Task;

    /// <summary>Starts the threads and returns once each is ready to read.</summary>
    public void Start()
    {
        _running = _workers.Count;
        using var ready = new CountdownEvent(_workers.Count);
        foreach (var worker in _workers) worker.Start(ready);
        ready.Wait();
    }

    /// <summary>
    /// Stops reading; <see cref="Ended"/> completes when everything that was read is answered, or noted for a successor to
    /// answer.
    /// </summary>
    public void Quiesce()
    {
        _options.Deferred.StopNotifying();
        _stop.Set();
    }

    /// <summary>
    /// Whether requests are taken: since the last call one was, or none is pending; and no thread has had one in hand for longer
    /// than any can take. False once the session is to stop. Called by one thread, now and then.
    /// </summary>
    public bool TakesRequests()
    {
        if (_stop.IsSet || _workers.Count == 0) return false;
        var taken = Volatile.Read(ref _taken);
        var moves = taken != _takenBefore || !_workers[0].IsPending;
        _takenBefore = taken;
        foreach (var worker in _workers) moves &= !worker.IsStuck();
        return moves;
    }

    /// <summary>How long requests took, by kind, those of earlier workers included.</summary>
    public void Gather(ref Latencies sum)
    {
        foreach (var worker in _workers) Latencies.Gather(ref sum, ref worker.Latencies);
        Latencies.Gather(ref sum, ref _options.Deferred.Table.Latencies);
    }

    /// <summary>Frees the buffers. Only after <see cref="Ended"/>, or before <see cref="Start"/>.</summary>
    public void Dispose()
    {
        if (Volatile.Read(ref _running) != 0) throw new InvalidOperationException("The session still runs: unmount first.");
        foreach (var worker in _workers) worker.Dispose();
        _workers.Clear();
        _options.Deferred.Dispose();
        _stop.Dispose();
    }

    private void End(SessionEnd reason)
    {
        // The first reason counts; the other threads only see its consequences.
        Interlocked.CompareExchange(ref _endReason, (int)reason, -1);
        _baton.End();
    }

    private void ThreadEnded()
    {
        if (Interlocked.Decrement(ref _running) != 0) return;
        _options.Deferred.Stop();
        _ended.SetResult((SessionEnd)_endReason);
    }

    /// <summary>One thread with its descriptor and buffers.</summary>
    private sealed class Worker : IDisposable
    {
        private readonly FuseSession _session;
        private readonly FuseDevice _device;
        private readonly int _number;
        private readonly Thread _thread;
        private readonly LockedBuffer _request;
        private readonly LockedBuffer _reply = new(FuseProtocol.OutHeaderSize, (int)Negotiation.MaxWrite);
        private CountdownEvent? _ready;
        private ulong _seen;
        private long _seenAt;

        public Worker(FuseSession session, FuseDevice device, int number)
        {
            _session = session;
            _device = device;
            _number = number;
            _request = session._options.Requests.Map(number);
            _thread = new Thread(Run, StackSize) { Name = $"fuse-{number}", IsBackground = true };
        }

        public Errno LockError => _request.LockError != Errno.Ok ? _request.LockError : _reply.LockError;

        /// <summary>What this thread has measured.</summary>
        public ref Latencies Latencies => ref Latencies.In(_request.Head);

        /// <summary>Whether a request is pending that any thread could take.</summary>
        public bool IsPending => _device.IsPending();

        /// <summary>Whether it has had the same request in hand for longer than any can take.</summary>
        public bool IsStuck()
        {
            ref readonly var header = ref MemoryMarshal.AsRef<FuseInHeader>(_request.Span);
            var inHand = Volatile.Read(in header.Length) == 0 ? 0 : Volatile.Read(in header.Unique);
            if (inHand == 0 || inHand != _seen) (_seen, _seenAt) = (inHand, Environment.TickCount64);
            return inHand != 0 && Environment.TickCount64 - _seenAt > LongestRequest;
        }

        public void Start(CountdownEvent ready)
        {
            _ready = ready;
            _thread.Start();
        }

        public void Dispose()
        {
            _request.Dispose();
            _reply.Dispose();
        }

        private void Run()
        {
            _session._options.PrepareThread?.Invoke();
            _ready!.Signal();
            _ready = null;
            while (_session._baton.Take())
                if (Lead() is { } end) _session.End(end);
            _session.ThreadEnded();
        }

        /// <summary>Reads and answers until the lead was passed (null) or the session has ended.</summary>
        private SessionEnd? Lead()
        {
            var request = _request.Span;
            ref var latencies = ref Latencies;
            var now = Stopwatch.GetTimestamp();
            while (!_session._stop.IsSet)
            {
                var error = ReadNext(request, out var length, ref now);
                if (error == Errno.EAGAIN) break;
                if (error != Errno.Ok) return EndOf(error);
                Volatile.Write(ref _session._taken, _session._taken + 1);
                var message = request[..length];
                var pass = _session._handler.MayTakeLong(message) || _device.IsPending();
                if (pass) _session._baton.Pass();
                var (begun, kind) = (now, Latencies.KindOf(message));
                var isLater = Answer(message, kind, begun, ref pass);
                RequestBuffers.MarkDone(request);
                now = Stopwatch.GetTimestamp();
                if (!isLater) Latencies.Add(ref latencies, kind, now - begun);
                if (pass) return null;
            }
            return SessionEnd.Quiesced;
        }

        /// <summary>Polls, then sleeps, until there is a request or a final error; EAGAIN when the session is to stop.</summary>
        /// <param name="buffer">Gets the request.</param>
        /// <param name="length">Its length.</param>
        /// <param name="looked">The time, then that of the last look before the request was there.</param>
        private Errno ReadNext(Span<byte> buffer, out int length, ref long looked)
        {
            var start = looked;
            while (true)
            {
                var error = _device.Read(buffer, out length);
                // ENOENT: the request was aborted while it was read. EINTR: a signal.
                if (error is Errno.EINTR or Errno.ENOENT) continue;
                if (error != Errno.EAGAIN || _session._stop.IsSet) return error;
                looked = Stopwatch.GetTimestamp();
                if (looked - start < _session._spinTicks) continue;
                _device.Wait(_session._stop);
                start = looked = Stopwatch.GetTimestamp();
            }
        }

        /// <summary>Carries a request out. True if its reply leaves later.</summary>
        private bool Answer(ReadOnlySpan<byte> message, RequestKind kind, long begun, ref bool passed)
        {
            var reply = _reply.Span;
            var length = _session._handler.Dispatch(message, reply, _number, out var deferral);
            if (length == 0) return false;
            if (deferral.Kind != DeferralKind.None && TryDefer(message, in deferral, kind, begun, ref passed)) return true;
            _device.Reply(reply[..length], message);
            _session._options.Moved?.Add(message.Length, length);
            return false;
        }

        /// <summary>
        /// Leaves the reply to <see cref="DeferredReplies"/>. False if this thread had to wait itself, for which it passed the
        /// lead; the caller then sends the reply.
        /// </summary>
        private bool TryDefer(ReadOnlySpan<byte> message, in Deferral deferral, RequestKind kind, long begun, ref bool passed)
        {
            var deferred = _session._options.Deferred;
            var unique = MemoryMarshal.Read<FuseInHeader>(message).Unique;
            if (deferred.TryAdd(unique, _number, in deferral, kind, begun)) return true;
            if (!passed) _session._baton.Pass();
            passed = true;
            var error = deferred.Await(in deferral);
            if (error == Errno.Ok) return false;
            _device.Reply(unique, error, message);
            return true;
        }

        private static SessionEnd EndOf(Errno error)
        {
            if (error == Errno.ENODEV) return SessionEnd.Unmounted;
            if (error == Errno.ECONNABORTED) return SessionEnd.Aborted;
            Log.Error($"Reading from {FuseDevice.Path} failed: {Libc.Describe(error)}. The session ends.");
            return SessionEnd.Failed;
        }
    }
}
