using System.Runtime.InteropServices;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The path of the log: every process of a daemon writes its lines to one pipe, which is its standard error, and a thread of the
/// keeper carries them to the daemon's original standard error. Writing to the pipe never waits: a full pipe loses the line,
/// which is counted and reported. The thread may wait, for a pipe that is not read, a stopped terminal or a disk, and nothing
/// waits for the thread.
/// <para>Instead of a ring in each process: a worker's last lines are in the kernel when it is killed, the runtime's own messages
/// at a crash take the same path, and a keeper's successor reads on. O_NONBLOCK on the original descriptor would not do: it is
/// shared with other processes.</para>
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001",
    Justification = "What its thread uses lives as long as that, which may be for ever.")]
internal sealed unsafe class LogPipe
{
    /// <summary>A pipe's default size; some five hundred lines. A read of this size always ends at the end of a line.</summary>
    private const int Bytes = 64 << 10;
    private const int StackBytes = 128 << 10;
    private const int StandardOutput = 1;
    private const int StandardError = 2;

    private readonly byte* _buffer = (byte*)NativeMemory.Alloc(Bytes);
    private readonly int _read;
    private readonly int _target;
    private readonly int* _lost;
    private int _starter;
    private readonly StopEvent _stop = new();
    private volatile bool _hasEnded;

    private LogPipe(int read, int target, int* lost, int starter)
    {
        _starter = starter;
        _read = read;
        _target = target;
        _lost = lost;
    }

    /// <summary>Makes the pipe, and its write end this process's standard error.</summary>
    /// <exception cref="StartupException">The system is out of descriptors.</exception>
    /// <param name="handover">The page that keeps it.</param>
    /// <param name="toOutput">
    /// Whether the lines go to standard output; whoever reads this process's standard error then gets them as well, until it
    /// closes that: a program that starts the daemon, and does not stay.
    /// </param>
    /// <returns>The descriptor of that reader, for <see cref="Carry"/>; -1 for none.</returns>
    public static int Create(Handover handover, bool toOutput = false)
    {
        (handover.Page.LogEnd, handover.Page.LogBegin) = (-1, -1);
        var starter = !toOutput ? -1
            : NativeProcess.fcntl(StandardError, NativeProcess.F_DUPFD_CLOEXEC, StandardError + 1);
        Resume(handover, toOutput ? StandardOutput : StandardError);
        return starter;
    }

    /// <summary>The same with the pipe of the page, if it has one: processes that are dead now have written to it.</summary>
    /// <exception cref="StartupException">The system is out of descriptors.</exception>
    public static void Resume(Handover handover, int target = StandardError)
    {
        ref var page = ref handover.Page;
        var ends = stackalloc int[2] { page.LogEnd, page.LogBegin };
        page.LogTarget = NativeProcess.fcntl(target, NativeProcess.F_DUPFD_CLOEXEC, StandardError + 1);
        var hasPipe = page.LogEnd >= 0 && page.LogBegin >= 0;
        if (page.LogTarget < 0 || (!hasPipe && NativeProcess.pipe2(ends, Libc.O_CLOEXEC | Libc.O_NONBLOCK) != 0))
            throw new StartupException(
                $"No descriptors for the log: {Libc.Describe(Libc.LastError)}. Raise the limit on open files.");
        (page.LogEnd, page.LogBegin) = (ends[0], ends[1]);
        page.LogIsJournal = Log.IsJournal(page.LogTarget) ? 1 : 0;
        _ = NativeProcess.dup2(page.LogBegin, StandardError);
        Join(handover);
    }

    /// <summary>For a process that inherits the pipe as its standard error: its lines go there as the page says.</summary>
    public static void Join(Handover handover)
    {
        Log.CountLost(handover.LogLost);
        Log.GoesToJournal = handover.Page.LogIsJournal != 0;
    }

    /// <summary>Starts the thread that carries lines.</summary>
    public static LogPipe Carry(Handover handover, int starter = -1)
    {
        var pipe = new LogPipe(handover.Page.LogEnd, handover.Page.LogTarget, handover.LogLost, starter);
        new Thread(pipe.Run, StackBytes) { IsBackground = true, Name = "tmemd-log" }.Start();
        return pipe;
    }

    /// <summary>Carries the present lines, and no later ones; gives up on a target that takes nothing for this long.</summary>
    public void Finish(TimeSpan patience)
    {
        _stop.Set();
        var until = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (!_hasEnded && Environment.TickCount64 < until) Thread.Sleep(1);
    }

    private void Run()
    {
        ProcessRights.GiveUp();
        while (true)
        {
            var length = Libc.read(_read, _buffer, Bytes);
            if (length > 0)
            {
                if (_starter >= 0) TellStarter(length);
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

    /// <summary>It gets what it takes at once: a start makes a few lines, and a starter that has gone wants none.</summary>
    private void TellStarter(nint length)
    {
        if (Libc.write(_starter, _buffer, (nuint)length) == length) return;
        _ = Libc.close(_starter);
        _starter = -1;
    }

    /// <summary>Writes all of it, however long that takes; lines that cannot be written are lost.</summary>
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
                // The disk is full, or the reader or the terminal is gone.
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
        var length = KeeperLog.Compose(bytes, LogLevel.Warning, line);
        fixed (byte* start = bytes)
            if (Libc.write(_target, start, (nuint)length) == length) Interlocked.Add(ref *_lost, -lost);
    }
}
