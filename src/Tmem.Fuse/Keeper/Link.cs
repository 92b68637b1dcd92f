using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Keeper;

/// <summary>What keeper and worker tell each other.</summary>
internal enum LinkMessage : byte
{
    /// <summary>The other end is closed: its process is dead.</summary>
    Closed,
    /// <summary>Nothing to read now.</summary>
    None,
    /// <summary>New keeper to the worker that started it: you are watched.</summary>
    Watching,
    /// <summary>Worker to keeper: the mount is served.</summary>
    Serving,
    /// <summary>Worker to keeper: start a worker with the proposed settings beside me.</summary>
    Upgrade,
    /// <summary>New worker to keeper: all that can be done beside the old one is done.</summary>
    Ready,
    /// <summary>Keeper to old worker: finish what is in hand and end.</summary>
    Retire,
    /// <summary>Keeper to old worker: the new one did not get ready; the page says why.</summary>
    UpgradeFailed,
    /// <summary>Keeper to new worker: the region is yours.</summary>
    TakeOver,
    /// <summary>Old worker to keeper: what was in hand is finished and nothing of the region is touched any more; ending takes a while yet.</summary>
    Retired,
    /// <summary>Who stands by to keeper: no thread of the worker will run again, though the kernel is not done with it yet.</summary>
    WorkerEnds,
}

/// <summary>One end of the line between a keeper and a worker: a pair of sockets that keeps messages apart. When a process dies, the other end reads it.</summary>
internal unsafe readonly struct Link(int descriptor)
{
    public int Descriptor { get; } = descriptor;

    public bool IsOpen => Descriptor >= 0;

    public static Link None => new(-1);

    /// <summary>Makes both ends, neither of which a child inherits by itself.</summary>
    public static Errno TryCreate(out Link mine, out Link theirs)
    {
        var pair = stackalloc int[2];
        var error = NativeProcess.socketpair(NativeProcess.AF_UNIX, NativeProcess.SOCK_SEQPACKET | NativeProcess.SOCK_CLOEXEC, 0, pair) == 0
            ? Errno.Ok : Libc.LastError;
        (mine, theirs) = error == Errno.Ok ? (new Link(pair[0]), new Link(pair[1])) : (None, None);
        return error;
    }

    /// <summary>Sends. A dead peer is noticed elsewhere: by its process, or by the next read.</summary>
    public void Send(LinkMessage message)
    {
        if (IsOpen) _ = NativeProcess.send(Descriptor, &message, 1, NativeProcess.MSG_NOSIGNAL | NativeProcess.MSG_DONTWAIT);
    }

    /// <summary>Reads what is there.</summary>
    public LinkMessage TryReceive() => Receive(NativeProcess.MSG_DONTWAIT);

    /// <summary>Waits for a message.</summary>
    public LinkMessage Receive() => Receive(0);

    /// <summary>Waits for a message, but not for longer than this.</summary>
    public LinkMessage Receive(TimeSpan patience)
    {
        var poll = new PollDescriptor { Descriptor = Descriptor, Events = Libc.POLLIN };
        return Libc.poll(&poll, 1, (int)patience.TotalMilliseconds) > 0 ? TryReceive() : LinkMessage.None;
    }

    public void Close()
    {
        if (IsOpen) _ = Libc.close(Descriptor);
    }

    private LinkMessage Receive(int flags)
    {
        LinkMessage message;
        while (true)
        {
            var got = NativeProcess.recv(Descriptor, &message, 1, flags);
            if (got > 0) return message;
            if (got == 0) return LinkMessage.Closed;
            var error = Libc.LastError;
            if (error == Errno.EAGAIN) return LinkMessage.None;
            if (error != Errno.EINTR) return LinkMessage.Closed;
        }
    }
}
