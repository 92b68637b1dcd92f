using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>The real kernel: each of the keeper's operations is one system call or a few.</summary>
internal readonly unsafe struct KeeperSystem : IKeeperSystem
{
    private const int LongestWait = 60_000;

    private readonly Handover _handover;
    private readonly Launcher _launcher;
    private readonly OutOfMemoryCounter _counter;
    private readonly HeldProgram _held = new();
    private readonly int _signals;
    private readonly Supervisor _supervisor = Supervisor.FromEnvironment();

    /// <summary>For the keeper of what the page lists.</summary>
    /// <exception cref="StartupException">The system is out of descriptors or memory.</exception>
    public KeeperSystem(Handover handover, MemoryAdvice advice)
    {
        _handover = handover;
        _counter = new OutOfMemoryCounter(advice.Counter);
        _launcher = new Launcher(handover);
        _signals = DaemonSignals.Open();
    }

    /// <inheritdoc/>
    public long Now => Environment.TickCount64;

    /// <inheritdoc/>
    public bool IsSupervised => _supervisor.Exists;

    /// <inheritdoc/>
    public long Watchdog => _supervisor.WatchdogMilliseconds;

    /// <inheritdoc/>
    public bool TryTell(KeeperLine message, int descriptor) => _supervisor.TrySend(message.Text, descriptor);

    /// <inheritdoc/>
    public void Wait(ReadOnlySpan<Watched> family, int milliseconds)
    {
        var polls = stackalloc PollDescriptor[1 + 2 * family.Length];
        var count = 0;
        polls[count++] = Readable(_signals);
        foreach (ref readonly var process in family)
        {
            if (!process.Exists) continue;
            polls[count++] = Readable(process.Descriptor);
            // A worker closes its end only by dying: from then on, its death is waited for.
            if (!process.LineClosed) polls[count++] = Readable(process.Line.Descriptor);
        }
        _ = Libc.poll(polls, (nuint)count, milliseconds);
    }

    /// <inheritdoc/>
    public int ReadSignal() => DaemonSignals.Read(_signals);

    /// <inheritdoc/>
    public Errno TryStart(Role role, int program, out Watched started)
    {
        started = default;
        var error = Link.TryCreate(out var mine, out var theirs);
        if (error != Errno.Ok) return error;
        // Getting ready must disturb nothing, the start of the runtime included.
        if (role == Role.Successor) ProcessPriority.StepBack();
        error = _launcher.Start(role, program, theirs, out var process);
        ProcessPriority.StepForward();
        theirs.Close();
        if (error == Errno.Ok) error = TryWatch(process, mine, out started);
        if (error != Errno.Ok) mine.Close();
        return error;
    }

    /// <inheritdoc/>
    public Errno TryWatch(int process, Link line, out Watched watched)
    {
        watched = default;
        var descriptor = NativeProcess.PidDescriptor(process);
        if (descriptor < 0) return Libc.LastError;
        _ = NativeProcess.fcntl(descriptor, NativeProcess.F_SETFD, NativeProcess.FD_CLOEXEC);
        watched = new Watched { Process = process, Descriptor = descriptor, Line = line };
        return Errno.Ok;
    }

    /// <inheritdoc/>
    public LinkMessage Receive(in Watched process, ref WorkerSettings wish) => process.Line.TryReceive(ref wish);

    /// <inheritdoc/>
    public void Send(in Watched process, LinkMessage message, int descriptor) => process.Line.Send(message, descriptor);

    /// <inheritdoc/>
    public void Kill(in Watched process, int signal) => _ = NativeProcess.kill(process.Process, signal);

    /// <inheritdoc/>
    public void StepForward(in Watched process) => ProcessPriority.StepForward(process.Process);

    /// <inheritdoc/>
    public bool HasEnded(in Watched process) => Poll(in process, 0) > 0;

    /// <inheritdoc/>
    public bool TryReap(in Watched process, out WorkerDeath death)
    {
        death = new WorkerDeath { Process = process.Process, Number = -1 };
        if (!HasEnded(in process)) return false;
        SignalInfo info = default;
        const int ended = NativeProcess.WEXITED | NativeProcess.WNOHANG;
        var got = NativeProcess.waitid(NativeProcess.P_PIDFD, process.Descriptor, &info, ended);
        // ECHILD: it was another keeper's child, and another process learns how it ended.
        if (got == 0 && info.Process == 0) return false;
        if (got == 0)
        {
            death.Number = info.Status;
            death.BySignal = info.Code == NativeProcess.CLD_EXITED ? 0 : 1;
        }
        death.UnixMilliseconds = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        _ = Libc.close(process.Descriptor);
        process.Line.Close();
        return true;
    }

    /// <inheritdoc/>
    public void AwaitEnd(in Watched process)
    {
        while (Poll(in process, LongestWait) <= 0) { }
    }

    /// <inheritdoc/>
    public long OutOfMemoryKills() => _counter.Read();

    /// <inheritdoc/>
    public Errno TryClone(int device, out int clone) => FuseDescriptor.TryClone(device, out clone);

    /// <inheritdoc/>
    public void Close(int descriptor)
    {
        if (descriptor >= 0) _ = Libc.close(descriptor);
    }

    /// <inheritdoc/>
    public void EmptyRegion() => _ = NativeProcess.ftruncate(_handover.Page.Region, 0);

    /// <inheritdoc/>
    public void TakeListener(int listener) => _handover.TakeListener(listener);

    /// <inheritdoc/>
    public void HoldProgram(int program) => _held.Become(program);

    /// <inheritdoc/>
    public void Log(LogLevel level, KeeperLine line) => KeeperLog.Write(level, line);

    private static int Poll(in Watched process, int milliseconds)
    {
        var poll = Readable(process.Descriptor);
        return Libc.poll(&poll, 1, milliseconds);
    }

    private static PollDescriptor Readable(int descriptor) => new() { Descriptor = descriptor, Events = Libc.POLLIN };
}
