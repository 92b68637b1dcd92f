using System.Runtime.InteropServices;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The way of the log: every process of a daemon writes its lines to one pipe, which is its standard error, and a thread of the
/// keeper carries them to where the daemon's standard error leads. Writing to the pipe never waits: what is full loses the
/// line, which is counted and told. The thread may wait, for a pipe that nobody reads, a stopped terminal or a disk, and nobody
/// waits for it.
/// <para>Instead of a ring in each process: what a worker has said when it is killed is in the kernel's hands, the words that
/// the runtime itself writes when it dies go the same way, and a keeper's successor reads on. The other end's O_NONBLOCK would
/// not do: it is shared with whoever else has it.</para>
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001",
    Justification = "What its thread uses lives as long as that, which may be for ever.")]
internal sealed unsafe class LogPipe
{
    /// <summary>
    /// What a pipe has without asking; some five hundred lines. A read of as much always ends with a line's end.
    /// </summary>
    private const int Bytes = 64 << 10;
    private const int StackBytes = 128 << 10;
    private const int StandardError = 2;

    private readonly byte* _buffer = (byte*)NativeMemory.Alloc(Bytes);
    private readonly int _read;
    private readonly int _target;
    private readonly int* _lost;
    private readonly StopEvent _stop = new();
    private volatile bool _hasEnded;

    private LogPipe(int read, int target, int* lost)
    {
        _read = read;
        _target = target;
        _lost = lost;
    }

    /// <summary>Makes the pipe, and this process's standard error its beginning.</summary>
    /// <exception cref="StartupException">The system has no descriptor to give.</exception>
    public static void Create(Handover handover)
    {
        ref var page = ref handover.Page;
        var ends = stackalloc int[2];
        page.LogTarget = NativeProcess.fcntl(StandardError, NativeProcess.F_DUPFD_CLOEXEC, StandardError + 1);
        if (page.LogTarget < 0 || NativeProcess.pipe2(ends, Libc.O_CLOEXEC | Libc.O_NONBLOCK) != 0)
            throw new StartupException(
                $"No descriptors for the log: {Libc.Describe(Libc.LastError)}. Raise the limit on open files.");
        (page.LogEnd, page.LogBegin) = (ends[0], ends[1]);
        _ = NativeProcess.dup2(page.LogBegin, StandardError);
        Log.CountLost(handover.LogLost);
    }

    /// <summary>Carries from now on.</summary>
    public static LogPipe Carry(Handover handover)
    {
        var pipe = new LogPipe(handover.Page.LogEnd, handover.Page.LogTarget, handover.LogLost);
        new Thread(pipe.Run, StackBytes) { IsBackground = true, Name = "tmemd-log" }.Start();
        return pipe;
    }

    /// <summary>Carries what is there, and no more; gives up on a target that takes nothing for as long as this.</summary>
    public void Finish(TimeSpan patience)
    {
        _stop.Set();
        var until = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (!_hasEnded && Environment.TickCount64 < until) Thread.Sleep(1);
    }

    private void Run()
    {
        // Compiled now, where it is not ahead of time: once the memory is locked, and without rights, that can fail.
        Write(_buffer, 0);
        _ = Libc.write(_target, _buffer, 0);
        ProcessRights.GiveUp();
        while (true)
        {
            var length = Libc.read(_read, _buffer, Bytes);
            if (length > 0)
            {
                Write(_buffer, length);
                TellLost();
                continue;
            }
            if (_stop.IsSet) break;
            Wait();
        }
        TellLost();
        _hasEnded = true;
    }

    private void Wait()
    {
        var polls = stackalloc PollDescriptor[2];
        polls[0] = new PollDescriptor { Descriptor = _read, Events = Libc.POLLIN };
        polls[1] = new PollDescriptor { Descriptor = _stop.Descriptor, Events = Libc.POLLIN };
        _ = Libc.poll(polls, 2, -1);
    }

    /// <summary>Writes all of it, however long that takes; what cannot be written is lost.</summary>
    private void Write(byte* start, nint length)
    {
        while (length > 0)
        {
            var written = Libc.write(_target, start, (nuint)length);
            if (written > 0)
            {
                start += written;
                length -= written;
                continue;
            }
            var error = Libc.LastError;
            if (error == Errno.EINTR) continue;
            if (error != Errno.EAGAIN)
            {
                // The disk is full, the reader has gone, the terminal has.
                Interlocked.Add(ref *_lost, new ReadOnlySpan<byte>(start, (int)length).Count((byte)'\n'));
                return;
            }
            var poll = new PollDescriptor { Descriptor = _target, Events = Libc.POLLOUT };
            _ = Libc.poll(&poll, 1, -1);
        }
    }

    private void TellLost()
    {
        var lost = Volatile.Read(ref *_lost);
        if (lost == 0) return;
        KeeperLine line = $"{lost} lines of the log are lost: nobody took them, or what takes them is full";
        Span<byte> bytes = stackalloc byte[64 + KeeperLine.Room];
        var length = KeeperLog.Compose(bytes, " warning "u8, line);
        fixed (byte* start = bytes)
            if (Libc.write(_target, start, (nuint)length) == length) Interlocked.Add(ref *_lost, -lost);
    }
}
