using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>A process that the keeper watches: by a pidfd, so that it need not be a child, and by its end of the line.</summary>
internal unsafe struct Watched
{
    /// <summary>0: there is none.</summary>
    public int Process;
    public int Pid;
    public Link Line;
    public bool Serves;
    public long ServesSince;
    /// <summary>Its end of the line is closed: it dies.</summary>
    public bool LineClosed;

    public readonly bool Exists => Process != 0;

    /// <summary>Whether it has ended, and can be reaped.</summary>
    public readonly bool HasEnded
    {
        get
        {
            var poll = new PollDescriptor { Descriptor = Pid, Events = Libc.POLLIN };
            return Libc.poll(&poll, 1, 0) > 0;
        }
    }

    /// <summary>What it says, if it says anything.</summary>
    public LinkMessage Receive()
    {
        if (LineClosed) return LinkMessage.Closed;
        var message = Line.TryReceive();
        LineClosed = message == LinkMessage.Closed;
        return message;
    }

    /// <summary>The same, where a wish for an upgrade may come.</summary>
    public LinkMessage Receive(ref WorkerSettings wish)
    {
        if (LineClosed) return LinkMessage.Closed;
        var message = Line.TryReceive(ref wish);
        LineClosed = message == LinkMessage.Closed;
        return message;
    }

    /// <summary>Watches a process; ESRCH if it is gone.</summary>
    public static Errno Watch(int process, Link line, out Watched watched)
    {
        watched = default;
        var pid = NativeProcess.PidDescriptor(process);
        if (pid < 0) return Libc.LastError;
        _ = NativeProcess.fcntl(pid, NativeProcess.F_SETFD, NativeProcess.FD_CLOEXEC);
        watched = new Watched { Process = process, Pid = pid, Line = line };
        return Errno.Ok;
    }

    /// <summary>How it ended; false while it lives.</summary>
    public readonly bool TryReap(out WorkerDeath death)
    {
        SignalInfo info = default;
        death = new WorkerDeath { Process = Process, Number = -1 };
        var got = NativeProcess.waitid(NativeProcess.P_PIDFD, Pid, &info, NativeProcess.WEXITED | NativeProcess.WNOHANG);
        // ECHILD: it was another keeper's child, and somebody else learns how it ended.
        if (got == 0 && info.Process == 0) return false;
        if (got == 0)
        {
            death.Number = info.Status;
            death.BySignal = info.Code == NativeProcess.CLD_EXITED ? 0 : 1;
        }
        death.HadServed = Serves ? 1 : 0;
        death.ServedMilliseconds = Serves ? Environment.TickCount64 - ServesSince : 0;
        death.UnixMilliseconds = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        return true;
    }

    /// <summary>Lets go of its descriptors; not the process.</summary>
    public void Forget()
    {
        if (!Exists) return;
        _ = Libc.close(Pid);
        Line.Close();
        this = default;
    }
}
