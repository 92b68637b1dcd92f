using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The kernel as the keeper uses it: processes, the links to them, signals, time, descriptors. <see cref="KeeperSystem"/>
/// implements it with system calls; the tests have a kernel of their own, without processes. Implementations are immutable
/// structs that the compiler binds: the first call through an interface would allocate while no worker serves.
/// </summary>
internal interface IKeeperSystem
{
    /// <summary>Milliseconds, as Environment.TickCount64 has them.</summary>
    long Now { get; }

    /// <summary>Waits until one of them has sent something or has ended, or a signal arrives; at most this long.</summary>
    void Wait(ReadOnlySpan<Watched> family, int milliseconds);

    /// <summary>Whether a supervisor is there to be told.</summary>
    bool IsSupervised { get; }

    /// <summary>How long the supervisor waits for a sign of life, in milliseconds; 0 if it waits for none.</summary>
    long Watchdog { get; }

    /// <summary>Sends the supervisor a message, with a descriptor unless that is -1. False if it must be sent again.</summary>
    bool TryTell(KeeperLine message, int descriptor);

    /// <summary>The next signal, or 0.</summary>
    int ReadSignal();

    /// <summary>Starts a process and watches it.</summary>
    Errno TryStart(Role role, int program, out Watched started);

    /// <summary>Watches a process that is there already; ESRCH if it is gone.</summary>
    Errno TryWatch(int process, Link line, out Watched watched);

    /// <summary>
    /// Reads a message. <see cref="LinkMessage.Upgrade"/> comes with settings; a received descriptor is stored as their program,
    /// which is -1 if there is none.
    /// </summary>
    LinkMessage Receive(in Watched process, ref WorkerSettings wish);

    /// <summary>Sends a message. A dead peer is noticed elsewhere.</summary>
    void Send(in Watched process, LinkMessage message, int descriptor = -1);

    void Kill(in Watched process, int signal);

    /// <summary>Raises its priority, if it has been getting ready behind others.</summary>
    void StepForward(in Watched process);

    /// <summary>Whether it has ended, and can be reaped.</summary>
    bool HasEnded(in Watched process);

    /// <summary>
    /// How and when it ended, not whether it had served; false while it lives. Afterwards it is no longer watched.
    /// </summary>
    bool TryReap(in Watched process, out WorkerDeath death);

    /// <summary>Returns when it has ended.</summary>
    void AwaitEnd(in Watched process);

    /// <summary>How often the out-of-memory killer has struck so far; -1 if unknown.</summary>
    long OutOfMemoryKills();

    /// <summary>Another descriptor of the same connection.</summary>
    Errno TryClone(int device, out int clone);

    /// <summary>Closes a descriptor; none if it is -1.</summary>
    void Close(int descriptor);

    /// <summary>Empties the region, as it was before the first worker.</summary>
    void EmptyRegion();

    /// <summary>Puts a new socket in the place of the workers' listener.</summary>
    void TakeListener(int listener);

    /// <summary>
    /// Keeps a program in memory, instead of the previous one: none of its pages is ever on a swap device when a worker is
    /// started.
    /// </summary>
    void HoldProgram(int program);

    void Log(LogLevel level, KeeperLine line);
}
