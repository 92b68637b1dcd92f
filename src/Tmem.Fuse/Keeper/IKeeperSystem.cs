using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// What the keeper asks of the kernel: processes, the lines to them, signals, time, descriptors. <see cref="KeeperSystem"/> does
/// it with system calls; the tests have a kernel of their own, without processes. Each is a struct, unchanging, that the compiler
/// binds: the first call through an interface would take memory when nobody serves.
/// </summary>
internal interface IKeeperSystem
{
    /// <summary>Milliseconds, as Environment.TickCount64 has them.</summary>
    long Now { get; }

    /// <summary>Until one of them has something to say or has ended, or a signal comes; no longer than this.</summary>
    void Wait(ReadOnlySpan<Watched> family, int milliseconds);

    /// <summary>The next signal, or 0.</summary>
    int ReadSignal();

    /// <summary>Starts a process and watches it.</summary>
    Errno TryStart(Role role, int program, out Watched started);

    /// <summary>Watches a process that is there already; ESRCH if it is gone.</summary>
    Errno TryWatch(int process, Link line, out Watched watched);

    /// <summary>
    /// What it says. With <see cref="LinkMessage.Upgrade"/> come settings; a descriptor that comes is in the place of their
    /// program, which is -1 if none does.
    /// </summary>
    LinkMessage Receive(in Watched process, ref WorkerSettings wish);

    /// <summary>Tells it something. That it is dead is noticed elsewhere.</summary>
    void Send(in Watched process, LinkMessage message, int descriptor = -1);

    void Kill(in Watched process, int signal);

    /// <summary>Lets it go first from here on, if it has been getting ready behind others.</summary>
    void StepForward(in Watched process);

    /// <summary>Whether it has ended, and can be reaped.</summary>
    bool HasEnded(in Watched process);

    /// <summary>
    /// How and when it ended, not how it had served; false while it lives. Afterwards nothing of it is watched any more.
    /// </summary>
    bool TryReap(in Watched process, out WorkerDeath death);

    /// <summary>Returns when it has ended.</summary>
    void AwaitEnd(in Watched process);

    /// <summary>How often the out-of-memory killer has struck so far; -1 if nobody can say.</summary>
    long OutOfMemoryKills();

    /// <summary>Another descriptor of the same connection.</summary>
    Errno TryClone(int device, out int clone);

    /// <summary>Closes a descriptor; none if it is -1.</summary>
    void Close(int descriptor);

    /// <summary>Has the region empty, as it was before the first worker.</summary>
    void EmptyRegion();

    /// <summary>Puts a socket that was made anew in the place of the one that workers listen on.</summary>
    void TakeListener(int listener);

    /// <summary>
    /// Keeps a program in memory, and no other: nothing of it is ever on a swap device when a worker is started.
    /// </summary>
    void HoldProgram(int program);

    void Log(LogLevel level, KeeperLine line);
}
