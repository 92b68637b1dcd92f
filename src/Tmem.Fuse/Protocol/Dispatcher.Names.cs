using System.Runtime.CompilerServices;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Protocol;

/// <summary>Operations on names: look up, forget, make, remove, rename, link.</summary>
internal sealed partial class Dispatcher<TFileSystem>
{
    private const uint RenameNoReplace = 1;
    private const uint RenameExchange = 2;

    private Errno Lookup(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body)
    {
        var error = arguments.TryReadName(out var name);
        if (error != Errno.Ok) return error;
        error = _fileSystem.Lookup(caller, NodeOf(in header), name, out var entry);
        if (error == Errno.Ok) body.Append(in entry);
        return error;
    }

    private Errno Forget(in FuseInHeader header, in Caller caller, ref RequestReader arguments)
    {
        if (!arguments.TryRead(out FuseForgetIn input)) return Errno.EINVAL;
        if (ForgottenBefore(in header, caller) == 0) _fileSystem.Forget(caller, NodeOf(in header), input.Nlookup);
        return Errno.Ok;
    }

    private Errno BatchForget(in FuseInHeader header, in Caller caller, ref RequestReader arguments)
    {
        if (!arguments.TryRead(out FuseBatchForgetIn input)) return Errno.EINVAL;
        // All or nothing: a count that does not match its records means a malformed message.
        if (input.Count > (uint)arguments.Rest.Length / (uint)Unsafe.SizeOf<FuseForgetOne>())
        {
            _onFault($"BATCH_FORGET names {input.Count} nodes in {arguments.Rest.Length} bytes; ignored.");
            return Errno.EINVAL;
        }
        var before = ForgottenBefore(in header, caller);
        for (uint i = 0; i < input.Count; i++)
        {
            arguments.TryRead(out FuseForgetOne one);
            if (i >= before) _fileSystem.Forget(caller, new NodeId(one.NodeId), one.Nlookup);
        }
        return Errno.Ok;
    }

    private uint ForgottenBefore(in FuseInHeader header, in Caller caller) => IsResent(in header) ? _fileSystem.Forgotten(caller)
        : 0;

    private Errno MakeNode(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body)
    {
        if (!arguments.TryRead(out FuseMknodIn input)) return Errno.EINVAL;
        var error = arguments.TryReadName(out var name);
        if (error != Errno.Ok) return error;
        error = _fileSystem.MakeNode(caller, NodeOf(in header), name, input.Mode, input.Rdev, out var entry);
        if (error == Errno.Ok) body.Append(in entry);
        return error;
    }

    private Errno MakeDirectory(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body)
    {
        if (!arguments.TryRead(out FuseMkdirIn input)) return Errno.EINVAL;
        var error = arguments.TryReadName(out var name);
        if (error != Errno.Ok) return error;
        error = _fileSystem.MakeDirectory(caller, NodeOf(in header), name, input.Mode, out var entry);
        if (error == Errno.Ok) body.Append(in entry);
        return error;
    }

    private Errno SymbolicLink(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body)
    {
        var error = arguments.TryReadName(out var name);
        if (error != Errno.Ok) return error;
        error = arguments.TryReadTarget(out var target);
        if (error != Errno.Ok) return error;
        error = _fileSystem.SymbolicLink(caller, NodeOf(in header), name, target, out var entry);
        if (error == Errno.Ok) body.Append(in entry);
        return error;
    }

    private Errno ReadLink(in FuseInHeader header, ref ReplyWriter body)
    {
        var room = body.Room[..RequestReader.MaximumTarget];
        var error = _fileSystem.ReadLink(NodeOf(in header), room, out var length);
        if (error == Errno.Ok) body.Advance(length, room.Length);
        return error;
    }

    private Errno Link(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body)
    {
        if (!arguments.TryRead(out FuseLinkIn input)) return Errno.EINVAL;
        var error = arguments.TryReadName(out var name);
        if (error != Errno.Ok) return error;
        error = _fileSystem.Link(caller, new NodeId(input.OldNodeId), NodeOf(in header), name, out var entry);
        if (error == Errno.Ok) body.Append(in entry);
        return error;
    }

    private Errno Unlink(in FuseInHeader header, in Caller caller, ref RequestReader arguments)
    {
        var error = arguments.TryReadName(out var name);
        return error != Errno.Ok ? error : _fileSystem.Unlink(caller, NodeOf(in header), name);
    }

    private Errno RemoveDirectory(in FuseInHeader header, in Caller caller, ref RequestReader arguments)
    {
        var error = arguments.TryReadName(out var name);
        return error != Errno.Ok ? error : _fileSystem.RemoveDirectory(caller, NodeOf(in header), name);
    }

    private Errno Rename(in FuseInHeader header, in Caller caller, ref RequestReader arguments) =>
        arguments.TryRead(out FuseRenameIn input) ? Rename(in header, caller, ref arguments, input.NewDir, 0) : Errno.EINVAL;

    private Errno Rename2(in FuseInHeader header, in Caller caller, ref RequestReader arguments)
    {
        if (!arguments.TryRead(out FuseRename2In input)) return Errno.EINVAL;
        // RENAME_WHITEOUT serves overlay file systems; the two known flags exclude each other.
        if (input.Flags is not (0 or RenameNoReplace or RenameExchange)) return Errno.EINVAL;
        return Rename(in header, caller, ref arguments, input.NewDir, input.Flags);
    }

    private Errno Rename(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ulong newParent, uint flags)
    {
        var error = arguments.TryReadName(out var name);
        if (error != Errno.Ok) return error;
        error = arguments.TryReadName(out var newName);
        if (error != Errno.Ok) return error;
        return _fileSystem.Rename(caller, NodeOf(in header), name, new NodeId(newParent), newName, flags);
    }
}
