using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Protocol;

/// <summary>Attributes, extended attributes, directories and statfs.</summary>
internal sealed partial class Dispatcher<TFileSystem>
{
    /// <summary>XATTR_SIZE_MAX and XATTR_LIST_MAX: 64 KiB.</summary>
    private const uint MaximumAttribute = 1 << 16;

    private Errno GetAttributes(in FuseInHeader header, ref ReplyWriter body)
    {
        var error = _fileSystem.GetAttributes(NodeOf(in header), out var attributes);
        if (error == Errno.Ok) body.Append(in attributes);
        return error;
    }

    private Errno SetAttributes(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body,
        out Deferral deferral)
    {
        deferral = default;
        if (!arguments.TryRead(out FuseSetattrIn input)) return Errno.EINVAL;
        if ((input.Valid & FuseSetattrValid.Size) != 0 && Overflows(input.Size, 0)) return Errno.EINVAL;
        var error = _fileSystem.SetAttributes(caller, NodeOf(in header), in input, out var attributes, out deferral);
        if (error == Errno.Ok) body.Append(in attributes);
        return error;
    }

    private Errno Access(in FuseInHeader header, in Caller caller, ref RequestReader arguments)
    {
        // access(2): R_OK, W_OK and X_OK, or F_OK (0).
        if (!arguments.TryRead(out FuseAccessIn input) || input.Mask > 7) return Errno.EINVAL;
        return _fileSystem.Access(caller, NodeOf(in header), input.Mask);
    }

    private Errno GetFileSystem(in FuseInHeader header, ref ReplyWriter body)
    {
        var error = _fileSystem.GetFileSystem(NodeOf(in header), out var figures);
        if (error == Errno.Ok) body.Append(in figures);
        return error;
    }

    private Errno OpenDirectory(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body)
    {
        if (!arguments.TryRead(out FuseOpenIn input)) return Errno.EINVAL;
        var error = _fileSystem.OpenDirectory(caller, NodeOf(in header), input.Flags, out var open);
        if (error == Errno.Ok) body.Append(in open);
        return error;
    }

    private Errno ReleaseDirectory(in FuseInHeader header, in Caller caller, ref RequestReader arguments)
    {
        if (!arguments.TryRead(out FuseReleaseIn input)) return Errno.EINVAL;
        _fileSystem.ReleaseDirectory(caller, NodeOf(in header), input.Fh);
        return Errno.Ok;
    }

    private Errno ReadDirectory(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body,
        bool plus)
    {
        if (!arguments.TryRead(out FuseReadIn input)) return Errno.EINVAL;
        // A short reply is not the end of the directory: only an empty one is.
        var room = body.Room[..(int)Math.Min(input.Size, (uint)body.Room.Length)];
        var writer = new DirectoryWriter(room, plus);
        var error = _fileSystem.ReadDirectory(caller, NodeOf(in header), input.Fh, input.Offset, ref writer);
        if (error == Errno.Ok) body.Advance(writer.Length, room.Length);
        return error;
    }

    private Errno SetExtendedAttribute(in FuseInHeader header, in Caller caller, ref RequestReader arguments)
    {
        if (!arguments.TryRead(out FuseSetxattrCompatIn input)) return Errno.EINVAL;
        var error = arguments.TryReadAttributeName(out var name);
        if (error != Errno.Ok) return error;
        if (input.Size > MaximumAttribute) return Errno.E2BIG;
        if (input.Size != (uint)arguments.Rest.Length) return Errno.EINVAL;
        return _fileSystem.SetExtendedAttribute(caller, NodeOf(in header), name, arguments.Rest, input.Flags);
    }

    private Errno GetExtendedAttribute(in FuseInHeader header, ref RequestReader arguments, ref ReplyWriter body)
    {
        if (!arguments.TryRead(out FuseGetxattrIn input)) return Errno.EINVAL;
        var error = arguments.TryReadAttributeName(out var name);
        if (error != Errno.Ok) return error;
        var room = AttributeRoom(in body, input.Size);
        error = _fileSystem.GetExtendedAttribute(NodeOf(in header), name, room, out var length);
        return error == Errno.Ok ? AnswerAttribute(ref body, room.Length, length) : error;
    }

    private Errno ListExtendedAttributes(in FuseInHeader header, in Caller caller, ref RequestReader arguments,
        ref ReplyWriter body)
    {
        if (!arguments.TryRead(out FuseGetxattrIn input)) return Errno.EINVAL;
        var room = AttributeRoom(in body, input.Size);
        var error = _fileSystem.ListExtendedAttributes(caller, NodeOf(in header), room, out var length);
        return error == Errno.Ok ? AnswerAttribute(ref body, room.Length, length) : error;
    }

    private Errno RemoveExtendedAttribute(in FuseInHeader header, in Caller caller, ref RequestReader arguments)
    {
        var error = arguments.TryReadAttributeName(out var name);
        return error != Errno.Ok ? error : _fileSystem.RemoveExtendedAttribute(caller, NodeOf(in header), name);
    }

    private static Span<byte> AttributeRoom(in ReplyWriter body, uint size) =>
        body.Room[..(int)Math.Min(Math.Min(size, MaximumAttribute), (uint)body.Room.Length)];

    /// <summary>A size of 0 asks for the length alone.</summary>
    private static Errno AnswerAttribute(ref ReplyWriter body, int room, int length)
    {
        if (room == 0) body.Append(new FuseGetxattrOut { Size = (uint)length });
        else body.Advance(length, room);
        return Errno.Ok;
    }
}
