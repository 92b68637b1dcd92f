using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>The messages between keeper and worker.</summary>
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
    /// <summary>
    /// Worker to keeper, with the settings and the program: start a worker with them beside this one. Always answered.
    /// </summary>
    Upgrade,
    /// <summary>New worker to keeper: all preparation beside the old one is done.</summary>
    Ready,
    /// <summary>Keeper to old worker: finish the requests in hand and end.</summary>
    Retire,
    /// <summary>Keeper to the worker that asked: no new worker got ready; the page says why.</summary>
    UpgradeFailed,
    /// <summary>Keeper to new worker: the region is yours.</summary>
    TakeOver,
    /// <summary>
    /// Old worker to keeper: the requests in hand are finished and the region is no longer touched; the process takes a while to
    /// end.
    /// </summary>
    Retired,
    /// <summary>
    /// Stand-by to keeper: no thread of the worker will run again, though the kernel has not finished its end yet.
    /// </summary>
    WorkerEnds,
    /// <summary>
    /// Worker to keeper, and keeper to every possible next worker, with a descriptor: the control socket was made anew.
    /// </summary>
    Listener,
}

/// <summary>
/// One end of the link between a keeper and a worker: a pair of sockets that preserves message boundaries. When a process dies,
/// the other end reads an end of file.
/// </summary>
internal unsafe readonly struct Link(int descriptor)
{
    public int Descriptor { get; } = descriptor;

    public bool IsOpen => Descriptor >= 0;

    public static Link None => new(-1);

    /// <summary>Makes both ends, both close-on-exec.</summary>
    public static Errno TryCreate(out Link mine, out Link theirs)
    {
        var pair = stackalloc int[2];
        var error = NativeProcess.socketpair(NativeProcess.AF_UNIX, NativeProcess.SOCK_SEQPACKET | NativeProcess.SOCK_CLOEXEC, 0,
            pair) == 0
            ? Errno.Ok : Libc.LastError;
        (mine, theirs) = error == Errno.Ok ? (new Link(pair[0]), new Link(pair[1])) : (None, None);
        return error;
    }

    /// <summary>Sends. A dead peer is noticed elsewhere: by its process, or by the next read.</summary>
    public void Send(LinkMessage message)
    {
        if (IsOpen) _ = NativeProcess.send(Descriptor, &message, 1, NativeProcess.MSG_NOSIGNAL | NativeProcess.MSG_DONTWAIT);
    }

    /// <summary>Asks for an upgrade.</summary>
    /// <param name="wish">The new settings.</param>
    /// <param name="program">The descriptor of the program, which is sent along; -1 for the current one.</param>
    public void SendUpgrade(in WorkerSettings wish, int program)
    {
        fixed (WorkerSettings* settings = &wish) Send(LinkMessage.Upgrade, settings, (nuint)sizeof(WorkerSettings), program);
    }

    /// <summary>Sends a message and a descriptor.</summary>
    public void Send(LinkMessage message, int descriptor) => Send(message, null, 0, descriptor);

    private void Send(LinkMessage word, void* body, nuint length, int descriptor)
    {
        if (!IsOpen) return;
        var parts = stackalloc IoVector[2];
        parts[0] = new IoVector { Start = &word, Length = 1 };
        parts[1] = new IoVector { Start = body, Length = length };
        _ = DescriptorPassing.TrySend(Descriptor, new SocketMessage { Parts = parts, PartCount = 2 }, descriptor);
    }

    /// <summary>
    /// Reads a message if there is one; <see cref="LinkMessage.Upgrade"/> comes with a wish, whose program is -1 for the current
    /// one. Any other received descriptor is stored in its place.
    /// </summary>
    public LinkMessage TryReceive(ref WorkerSettings wish)
    {
        fixed (WorkerSettings* settings = &wish)
        {
            var message = Receive(settings, (nuint)sizeof(WorkerSettings), out var descriptor);
            wish.Program = descriptor;
            return message;
        }
    }

    private LinkMessage Receive(void* body, nuint length, out int descriptor)
    {
        LinkMessage word = default;
        var parts = stackalloc IoVector[2];
        parts[0] = new IoVector { Start = &word, Length = 1 };
        parts[1] = new IoVector { Start = body, Length = length };
        var message = new SocketMessage { Parts = parts, PartCount = 2 };
        var error = DescriptorPassing.TryReceive(Descriptor, message, out var got, out descriptor);
        if (error == Errno.EAGAIN) return LinkMessage.None;
        return error == Errno.Ok && got > 0 ? word : LinkMessage.Closed;
    }

    /// <summary>Waits for a message.</summary>
    public LinkMessage Receive()
    {
        LinkMessage message;
        while (true)
        {
            var got = NativeProcess.recv(Descriptor, &message, 1, 0);
            if (got > 0) return message;
            if (got == 0 || Libc.LastError != Errno.EINTR) return LinkMessage.Closed;
        }
    }

    /// <summary>Waits for a message, at most this long.</summary>
    /// <param name="patience">How long.</param>
    /// <param name="descriptor">The descriptor sent with it; -1 for none.</param>
    public LinkMessage Receive(TimeSpan patience, out int descriptor)
    {
        descriptor = -1;
        var poll = new PollDescriptor { Descriptor = Descriptor, Events = Libc.POLLIN };
        return Libc.poll(&poll, 1, (int)patience.TotalMilliseconds) > 0 ? Receive(null, 0, out descriptor) : LinkMessage.None;
    }

    public void Close()
    {
        if (IsOpen) _ = Libc.close(Descriptor);
    }
}
