using System.Runtime.InteropServices;
using Tmem.Control.Messages;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Protocol;

/// <summary>
/// The protocol: decodes one request, calls the file system, encodes the reply. Bytes in, bytes out; it knows no descriptor and
/// needs no kernel. Thread-safe, and free of managed allocation except on INIT and faults. A malformed message gets an errno
/// (EINVAL for the most part) and changes nothing; an exception out of the file system is a bug: it is caught here alone,
/// answered with EIO and logged, and the daemon lives on. The other files of this class hold the operations by theme.
/// </summary>
/// <typeparam name="TFileSystem">The file system, a type parameter so that its calls need no interface dispatch where it is a
/// struct.</typeparam>
internal sealed partial class Dispatcher<TFileSystem> : IRequestHandler where TFileSystem : IFileSystem
{
    /// <summary>A READ or WRITE of up to this many bytes counts as quick.</summary>
    private const int QuickBytes = 32 << 10;

    /// <summary>A BATCH_FORGET of up to this many bytes, with some 16 nodes, counts as quick.</summary>
    private const int FewForgotten = 320;

    private readonly TFileSystem _fileSystem;
    private readonly Action<string> _onFault;
    private readonly ControlCommand _tmemctl;
    private readonly Action<SessionParameters>? _onAgreed;
    private readonly Lock _initLock = new();
    private SessionParameters _parameters;
    private volatile bool _agreed;

    /// <summary>
    /// A dispatcher for a new connection, or, with <paramref name="inherited"/>, for one that another process opened.
    /// </summary>
    /// <param name="fileSystem">The file system.</param>
    /// <param name="onFault">Called with one line for each bug caught and each message that is not a request at all.</param>
    /// <param name="tmemctl">Command lines that address this daemon.</param>
    /// <param name="inherited">The earlier agreement of the connection.</param>
    /// <param name="onAgreed">Called with the agreement, before the kernel gets it.</param>
    public Dispatcher(TFileSystem fileSystem, Action<string> onFault, ControlCommand tmemctl, SessionParameters? inherited = null,
        Action<SessionParameters>? onAgreed = null)
    {
        _fileSystem = fileSystem;
        _onFault = onFault;
        _tmemctl = tmemctl;
        _onAgreed = onAgreed;
        if (inherited is not { } parameters) return;
        _parameters = parameters;
        _agreed = true;
    }

    /// <summary>The agreement of INIT; null before it.</summary>
    public SessionParameters? Parameters => _agreed ? _parameters : null;

    /// <inheritdoc/>
    public int Dispatch(ReadOnlySpan<byte> request, Span<byte> reply, int thread, out Deferral deferral)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(reply.Length, IRequestHandler.MinimumReply);
        deferral = default;
        if (!MemoryMarshal.TryRead(request, out FuseInHeader header))
        {
            // Without a whole header there is no request to reply to.
            _onFault($"A message of {request.Length} bytes is shorter than a request header; ignored.");
            return 0;
        }

        return Answer(in header, request, reply, thread, header.Unique, out deferral);
    }

    /// <inheritdoc/>
    public int Repeat(ReadOnlySpan<byte> request, Span<byte> reply, int thread, out Deferral deferral)
    {
        deferral = default;
        if (!MemoryMarshal.TryRead(request, out FuseInHeader header)) return 0;
        var unique = header.Unique;
        header.Unique |= FuseProtocol.UniqueResend;
        // Bytes behind the message in its buffer belong to an earlier one.
        return Answer(in header, request[..(int)Math.Min(header.Length, (uint)request.Length)], reply, thread, unique,
            out deferral);
    }

    /// <inheritdoc/>
    public Errno MakeDurable()
    {
        try
        {
            return _fileSystem.MakeDurable();
        }
#pragma warning disable CA1031 // As in Guard.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _onFault($"what was written could not be made durable, sent EIO: {e.ToString().ReplaceLineEndings(" | ")}");
            return Errno.EIO;
        }
    }

    /// <inheritdoc/>
    public Action? WorkLeft { set => _fileSystem.WorkLeft = value; }

    /// <inheritdoc/>
    public Action? NamesLeft { set => _fileSystem.NamesLeft = value; }

    /// <inheritdoc/>
    public bool TryTakeName(Span<byte> name, out NodeId directory, out int length)
    {
        try
        {
            return _fileSystem.TryTakeName(name, out directory, out length);
        }
#pragma warning disable CA1031 // As in Guard.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _onFault($"a name that is gone, left to the kernel: {e.ToString().ReplaceLineEndings(" | ")}");
            (directory, length) = (default, 0);
            return false;
        }
    }

    /// <inheritdoc/>
    public bool DropSome()
    {
        try
        {
            return _fileSystem.DropSome();
        }
#pragma warning disable CA1031 // As in Guard.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _onFault($"what was removed could not be dropped; the next worker does: {e.ToString().ReplaceLineEndings(" | ")}");
            return true;
        }
    }

    /// <inheritdoc/>
    public bool DropSome(in Deferral deferral)
    {
        try
        {
            return _fileSystem.DropSome(in deferral);
        }
#pragma warning disable CA1031 // As in Guard.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _onFault($"pages of node {deferral.Node.Value} could not be dropped: {e.ToString().ReplaceLineEndings(" | ")}");
            return false;
        }
    }

    /// <inheritdoc/>
    public ulong SizeOf(NodeId node)
    {
        try
        {
            return _fileSystem.SizeOf(node);
        }
#pragma warning disable CA1031 // As in Guard.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _onFault($"size of node {node.Value}, taken for none: {e.ToString().ReplaceLineEndings(" | ")}");
            return 0;
        }
    }

    /// <inheritdoc/>
    public Errno Conclude(in Deferral deferral, Span<byte> body, out int length)
    {
        length = 0;
        if (!deferral.HasAttributes) return Errno.Ok;
        try
        {
            var error = _fileSystem.Conclude(in deferral, out var attributes);
            if (error != Errno.Ok) return error;
            MemoryMarshal.Write(body, in attributes);
            length = System.Runtime.CompilerServices.Unsafe.SizeOf<FuseAttrOut>();
            return Errno.Ok;
        }
#pragma warning disable CA1031 // As in Guard.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _onFault($"attributes of node {deferral.Node.Value}, sent EIO: {e.ToString().ReplaceLineEndings(" | ")}");
            return Errno.EIO;
        }
    }

    private int Answer(in FuseInHeader header, ReadOnlySpan<byte> request, Span<byte> reply, int thread, ulong unique,
        out Deferral deferral)
    {
        deferral = default;
        ref readonly var info = ref OpcodeTable.Find(header.Opcode);
        var body = new ReplyWriter(reply[FuseProtocol.OutHeaderSize..]);
        var error = Validate(in header, in info, request.Length);
        if (error == Errno.Ok)
            error = Guard(in header, CallerOf(in header, thread), in info, request[FuseProtocol.InHeaderSize..], ref body,
                ref deferral);
        if (!info.HasReply) return 0;
        // A failure has nothing to wait for.
        if (error != Errno.Ok) deferral = default;
        var length = FuseProtocol.OutHeaderSize + (error == Errno.Ok ? body.Length : 0);
        var answer = new FuseOutHeader { Length = (uint)length, Error = -(int)error, Unique = unique };
        MemoryMarshal.Write(reply, in answer);
        return length;
    }

    /// <inheritdoc/>
    public bool MayTakeLong(ReadOnlySpan<byte> request)
    {
        if (!MemoryMarshal.TryRead(request, out FuseInHeader header)) return false;
        if (header.Opcode == FuseOpcode.Write) return request.Length > QuickBytes;
        if (header.Opcode == FuseOpcode.Read)
            return MemoryMarshal.TryRead(request[FuseProtocol.InHeaderSize..], out FuseReadIn read) && read.Size > QuickBytes;
        if (header.Opcode == FuseOpcode.BatchForget) return request.Length > FewForgotten;
        return OpcodeTable.Find(header.Opcode).Kind is OpcodeKind.Slow;
    }

    private static Errno Validate(in FuseInHeader header, in OpcodeInfo info, int bytes)
    {
        if (header.Length != (uint)bytes) return Errno.EINVAL;
        if (info.Kind == OpcodeKind.Unsupported) return Errno.ENOSYS;
        return bytes - FuseProtocol.InHeaderSize < info.MinimumArguments ? Errno.EINVAL : Errno.Ok;
    }

    private Errno Guard(in FuseInHeader header, in Caller caller, in OpcodeInfo info, ReadOnlySpan<byte> arguments,
        ref ReplyWriter body,
        ref Deferral deferral)
    {
        try
        {
            var reader = new RequestReader(arguments);
            if (info.HasReply && IsResent(in header) && TryRecall(caller, ref body))
            {
                // A RELEASE that an earlier process carried out has to wait like any other.
                if (header.Opcode == FuseOpcode.Release) deferral = _fileSystem.Released(NodeOf(in header));
                return Errno.Ok;
            }
            var error = Perform(in header, caller, ref reader, ref body, ref deferral);
            // The room of removed files counts as free, even while their pages are still being dropped. A request that failed for
            // lack of room has changed nothing.
            while (error == Errno.ENOSPC && _fileSystem.DropSome())
            {
                reader = new RequestReader(arguments);
                error = Perform(in header, caller, ref reader, ref body, ref deferral);
            }
            if ((uint)error < 512) return error;
            _onFault($"{info.Name} on node {header.NodeId} answered {(int)error}, which is no errno; sent EIO.");
            return Errno.EIO;
        }
        catch (Engine.Records.DamagedRecordException damaged)
        {
            _onFault(
                $"{info.Name} on node {header.NodeId}: {damaged.Message}; sent EIO, and '{_tmemctl.Line("check")}' names what is "
                + "damaged.");
            return Errno.EIO;
        }
        // The one place that keeps a bug in an operation from taking down the daemon, and the swap on it.
#pragma warning disable CA1031
        catch (Exception e)
#pragma warning restore CA1031
        {
            _onFault(
                $"{info.Name} on node {header.NodeId} failed inside the file system, sent EIO: "
                + $"{e.ToString().ReplaceLineEndings(" | ")}");
            return Errno.EIO;
        }
    }

    /// <summary>Answers a request that was carried out before, but not answered. Only successes are remembered.</summary>
    private bool TryRecall(in Caller caller, ref ReplyWriter body)
    {
        if (!_fileSystem.Recall(caller, out var answer)) return false;
        if (answer.HasEntry) body.Append(in answer.Entry);
        if (answer.HasOpen) body.Append(in answer.Open);
        return true;
    }

    private Errno Perform(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body,
        ref Deferral deferral) => header.Opcode switch
    {
        FuseOpcode.Read => Read(in header, ref arguments, ref body),
        FuseOpcode.Write => Write(in header, caller, ref arguments, ref body, out deferral),
        FuseOpcode.Lookup => Lookup(in header, caller, ref arguments, ref body),
        FuseOpcode.Getattr => GetAttributes(in header, ref body),
        FuseOpcode.Setattr => SetAttributes(in header, caller, ref arguments, ref body, out deferral),
        FuseOpcode.Forget => Forget(in header, caller, ref arguments),
        FuseOpcode.BatchForget => BatchForget(in header, caller, ref arguments),
        FuseOpcode.Access => Access(in header, caller, ref arguments),
        FuseOpcode.Readlink => ReadLink(in header, ref body),
        FuseOpcode.Symlink => SymbolicLink(in header, caller, ref arguments, ref body),
        FuseOpcode.Mknod => MakeNode(in header, caller, ref arguments, ref body),
        FuseOpcode.Mkdir => MakeDirectory(in header, caller, ref arguments, ref body),
        FuseOpcode.Unlink => Unlink(in header, caller, ref arguments),
        FuseOpcode.Rmdir => RemoveDirectory(in header, caller, ref arguments),
        FuseOpcode.Rename => Rename(in header, caller, ref arguments),
        FuseOpcode.Rename2 => Rename2(in header, caller, ref arguments),
        FuseOpcode.Link => Link(in header, caller, ref arguments, ref body),
        FuseOpcode.Create => Create(in header, caller, ref arguments, ref body),
        FuseOpcode.Open => Open(in header, caller, ref arguments, ref body),
        FuseOpcode.Release => Release(in header, caller, ref arguments, out deferral),
        FuseOpcode.Flush => Flush(in header, ref arguments),
        FuseOpcode.Fsync or FuseOpcode.Fsyncdir => Sync(in header, ref arguments, out deferral),
        FuseOpcode.Fallocate => Allocate(in header, caller, ref arguments, out deferral),
        FuseOpcode.Lseek => Seek(in header, ref arguments, ref body),
        FuseOpcode.Opendir => OpenDirectory(in header, caller, ref arguments, ref body),
        FuseOpcode.Readdir => ReadDirectory(in header, caller, ref arguments, ref body, plus: false),
        FuseOpcode.Readdirplus => ReadDirectory(in header, caller, ref arguments, ref body, plus: true),
        FuseOpcode.Releasedir => ReleaseDirectory(in header, caller, ref arguments),
        FuseOpcode.Statfs => GetFileSystem(in header, ref body),
        FuseOpcode.Setxattr => SetExtendedAttribute(in header, caller, ref arguments),
        FuseOpcode.Getxattr => GetExtendedAttribute(in header, ref arguments, ref body),
        FuseOpcode.Listxattr => ListExtendedAttributes(in header, caller, ref arguments, ref body),
        FuseOpcode.Removexattr => RemoveExtendedAttribute(in header, caller, ref arguments),
        FuseOpcode.Init => Initialize(in header, ref arguments, ref body),
        // Every operation here ends by itself in bounded time, so there is nothing to interrupt; no notification asks for data.
        FuseOpcode.Interrupt or FuseOpcode.NotifyReply => Errno.Ok,
        _ => Errno.ENOSYS,
    };

    private Errno Initialize(in FuseInHeader header, ref RequestReader arguments, ref ReplyWriter body)
    {
        if (!Negotiation.TryRead(arguments.Rest, out var offer)) return Errno.EINVAL;
        lock (_initLock)
        {
            // A connection is initialised once. A second INIT is one whose reader died before it answered, and gets the same
            // reply.
            if (_agreed && !IsResent(in header)) return Errno.EINVAL;
            var verdict = Negotiation.Negotiate(in offer, out var reply, out var length, out var parameters);
            if (verdict == NegotiationVerdict.Refused)
            {
                _onFault($"The kernel speaks FUSE {offer.Major}.{offer.Minor}, which is too old: tmemd needs at least "
                    + $"{FuseProtocol.Major}.{FuseProtocol.OldestMinor}. Use a newer kernel.");
                return Errno.EINVAL;
            }
            MemoryMarshal.AsBytes(new ReadOnlySpan<FuseInitOut>(in reply))[..length].CopyTo(body.Room);
            body.Advance(length, body.Room.Length);
            if (verdict != NegotiationVerdict.Agreed) return Errno.Ok;
            _parameters = parameters;
            _agreed = true;
            _onAgreed?.Invoke(parameters);
            return Errno.Ok;
        }
    }

    private static Caller CallerOf(in FuseInHeader header, int thread) =>
        new(header.Uid, header.Gid, header.Pid, header.Unique & ~FuseProtocol.UniqueResend, thread);

    private static bool IsResent(in FuseInHeader header) => (header.Unique & FuseProtocol.UniqueResend) != 0;

    private static NodeId NodeOf(in FuseInHeader header) => new(header.NodeId);
}
