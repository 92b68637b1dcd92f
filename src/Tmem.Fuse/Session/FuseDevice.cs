using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// A descriptor of /dev/fuse: the connection's first one, or a clone of it, which reads from the same queue and must itself write
/// the replies to what was read through it. Kept O_CLOEXEC: a descriptor that leaks into a process which then waits on the mount
/// can make that process unkillable.
/// </summary>
internal sealed unsafe class FuseDevice : IDisposable
{
    public const string Path = "/dev/fuse";
    private int _descriptor;

    private FuseDevice(int descriptor) => _descriptor = descriptor;

    public int Descriptor => _descriptor;

    /// <summary>Opens the device.</summary>
    /// <exception cref="StartupException">It is missing or access is denied.</exception>
    public static FuseDevice Open()
    {
        var descriptor = Libc.open(Path, Libc.O_RDWR | Libc.O_CLOEXEC | Libc.O_NONBLOCK);
        if (descriptor >= 0) return new FuseDevice(descriptor);
        var error = Libc.LastError;
        throw new StartupException(error switch
        {
            Errno.ENOENT =>
                $"{Path} is missing. Load the module with `modprobe fuse`; in a container, start it with --device {Path}.",
            Errno.ENODEV or Errno.ENXIO => $"{Path} has no driver behind it. Load the module with `modprobe fuse`.",
            Errno.EACCES or Errno.EPERM =>
                $"{Path} may not be opened: {Libc.Describe(error)}. Run tmemd as root, or in a container with --device {Path}.",
            _ => $"{Path} cannot be opened: {Libc.Describe(error)}.",
        });
    }

    /// <summary>Takes over a descriptor that another process opened.</summary>
    public static FuseDevice Adopt(int descriptor) => new(descriptor);

    /// <summary>Another descriptor on the same connection, which must be mounted already.</summary>
    /// <exception cref="StartupException">The kernel refuses.</exception>
    public FuseDevice Clone()
    {
        var error = FuseDescriptor.TryClone(_descriptor, out var clone);
        if (error == Errno.Ok) return new FuseDevice(clone);
        throw new StartupException($"{Path} cannot be cloned for another thread: {Libc.Describe(error)}. Use --threads 1.");
    }

    /// <summary>Reads one request without waiting. EAGAIN if there is none.</summary>
    public Errno Read(Span<byte> buffer, out int length)
    {
        nint result;
        fixed (byte* pointer = buffer) result = Libc.read(_descriptor, pointer, (nuint)buffer.Length);
        length = (int)result;
        return result >= 0 ? Errno.Ok : Libc.LastError;
    }

    /// <summary>Sends a reply, and logs unexpected errors.</summary>
    /// <param name="reply">The whole reply.</param>
    /// <param name="request">The request's message; empty if not at hand.</param>
    public void Reply(ReadOnlySpan<byte> reply, ReadOnlySpan<byte> request = default)
    {
        Errno error;
        do error = Write(reply);
        while (error == Errno.EINTR);
        // ENOENT: the request was aborted or answered meanwhile. ENODEV: unmounted; the next read says so too.
        if (error is not (Errno.Ok or Errno.ENOENT or Errno.ENODEV or Errno.ECONNABORTED))
        {
            var what = request.IsEmpty ? "a request that waited" : OpcodeTable.NameOf(request);
            Log.Error($"{Path} refused a reply of {reply.Length} bytes to {what}: {Libc.Describe(error)}.");
        }
    }

    /// <summary>Sends an answer without a body.</summary>
    public void Reply(ulong unique, Errno error, ReadOnlySpan<byte> request)
    {
        var answer = new FuseOutHeader { Length = FuseProtocol.OutHeaderSize, Error = -(int)error, Unique = unique };
        Reply(new ReadOnlySpan<byte>(&answer, FuseProtocol.OutHeaderSize), request);
    }

    /// <summary>
    /// Whether the kernel still waits for the reply to a request that was wholly read through this descriptor. Probes with the
    /// reply to an interrupt of that request: the kernel refuses it (ENOENT) if it has no such request, and else changes nothing:
    /// fuse_dev_do_write looks the request up, and acts on no error but ENOSYS and EAGAIN. This holds since interrupts exist
    /// (Linux 2.6.14).
    /// </summary>
    public bool IsUnanswered(ulong unique)
    {
        const ulong interrupt = 1;
        var answer = new FuseOutHeader { Length = FuseProtocol.OutHeaderSize, Unique = unique | interrupt };
        Errno error;
        do error = Write(new ReadOnlySpan<byte>(&answer, FuseProtocol.OutHeaderSize));
        while (error == Errno.EINTR);
        return error == Errno.Ok;
    }

    /// <summary>
    /// Has the kernel drop cached pages of a file; ENOENT if it knows no such file. It waits for pages that are being read or
    /// written, which takes other replies: never call this on a thread that serves.
    /// </summary>
    public Errno Invalidate(NodeId node, ulong offset, uint length)
    {
        var bytes = FuseProtocol.OutHeaderSize + sizeof(FuseNotifyInvalInodeOut);
        var message = stackalloc byte[bytes];
        *(FuseOutHeader*)message = new FuseOutHeader { Length = (uint)bytes, Error = (int)FuseNotifyCode.InvalidateInode };
        *(FuseNotifyInvalInodeOut*)(message + FuseProtocol.OutHeaderSize) =
            new FuseNotifyInvalInodeOut { Ino = node.Value, Off = (long)offset, Len = length };
        return Write(new ReadOnlySpan<byte>(message, bytes));
    }

    /// <summary>
    /// Has the kernel drop a name, and what nobody uses behind it; ENOENT if it knows no such name. It waits for whoever works in
    /// the directory, and perhaps for the lock of a file there, which takes other replies: never call this on a thread that sends
    /// any.
    /// </summary>
    public Errno InvalidateName(NodeId directory, ReadOnlySpan<byte> name)
    {
        var head = FuseProtocol.OutHeaderSize + sizeof(FuseNotifyInvalEntryOut);
        var bytes = head + name.Length + 1;
        var message = stackalloc byte[bytes];
        *(FuseOutHeader*)message = new FuseOutHeader { Length = (uint)bytes, Error = (int)FuseNotifyCode.InvalidateEntry };
        *(FuseNotifyInvalEntryOut*)(message + FuseProtocol.OutHeaderSize) =
            new FuseNotifyInvalEntryOut { Parent = directory.Value, NameLength = (uint)name.Length };
        name.CopyTo(new Span<byte>(message + head, name.Length));
        message[bytes - 1] = 0;
        return Write(new ReadOnlySpan<byte>(message, bytes));
    }

    /// <summary>Writes one whole reply.</summary>
    public Errno Write(ReadOnlySpan<byte> reply)
    {
        nint result;
        fixed (byte* pointer = reply) result = Libc.write(_descriptor, pointer, (nuint)reply.Length);
        return result >= 0 ? Errno.Ok : Libc.LastError;
    }

    /// <summary>Sleeps until there is a request, the connection has ended, or the event is set.</summary>
    public void Wait(StopEvent stop)
    {
        var polls = stackalloc PollDescriptor[2];
        polls[0] = new PollDescriptor { Descriptor = _descriptor, Events = Libc.POLLIN };
        polls[1] = new PollDescriptor { Descriptor = stop.Descriptor, Events = Libc.POLLIN };
        // An interrupted or failed wait is harmless: the next read reports the error.
        _ = Libc.poll(polls, 2, -1);
    }

    /// <summary>
    /// Asks the kernel to put every request that was read and not answered back in the queue, marked as resent. Once, and before
    /// any thread reads here: later replies under their unmarked numbers would be refused.
    /// </summary>
    public Errno ResendUnanswered()
    {
        var notification = new FuseOutHeader { Length = FuseProtocol.OutHeaderSize, Error = (int)FuseNotifyCode.Resend };
        return Write(new ReadOnlySpan<byte>(&notification, FuseProtocol.OutHeaderSize));
    }

    /// <summary>Whether a request is pending.</summary>
    public bool IsPending()
    {
        var poll = new PollDescriptor { Descriptor = _descriptor, Events = Libc.POLLIN };
        return Libc.poll(&poll, 1, 0) > 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        var descriptor = Interlocked.Exchange(ref _descriptor, -1);
        if (descriptor >= 0) _ = Libc.close(descriptor);
    }
}
