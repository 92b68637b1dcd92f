using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Protocol;

/// <summary>Operations on open files.</summary>
internal sealed partial class Dispatcher<TFileSystem>
{
    private const uint KeepSize = 1;
    private const uint PunchHole = 2;
    private const uint ZeroRange = 0x10;
    private const uint SeekData = 3;
    private const uint SeekHole = 4;

    private Errno Create(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body)
    {
        if (!arguments.TryRead(out FuseCreateIn input)) return Errno.EINVAL;
        var error = arguments.TryReadName(out var name);
        if (error != Errno.Ok) return error;
        error = _fileSystem.Create(caller, NodeOf(in header), name, input.Flags, input.Mode, input.OpenFlags,
            out var entry, out var open);
        if (error != Errno.Ok) return error;
        body.Append(in entry);
        body.Append(in open);
        return Errno.Ok;
    }

    private Errno Open(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body)
    {
        if (!arguments.TryRead(out FuseOpenIn input)) return Errno.EINVAL;
        var error = _fileSystem.Open(caller, NodeOf(in header), input.Flags, input.OpenFlags, out var open);
        if (error == Errno.Ok) body.Append(in open);
        return error;
    }

    private Errno Release(in FuseInHeader header, in Caller caller, ref RequestReader arguments, out Deferral deferral)
    {
        deferral = default;
        if (!arguments.TryRead(out FuseReleaseIn input)) return Errno.EINVAL;
        _fileSystem.Release(caller, NodeOf(in header), input.Fh);
        deferral = _fileSystem.Released(NodeOf(in header));
        return Errno.Ok;
    }

    private Errno Read(in FuseInHeader header, ref RequestReader arguments, ref ReplyWriter body)
    {
        if (!arguments.TryRead(out FuseReadIn input) || Overflows(input.Offset, input.Size)) return Errno.EINVAL;
        // A short read means EOF, so a request too large for the buffer is refused, not cut short.
        if (input.Size > (uint)body.Room.Length) return Errno.EINVAL;
        var destination = body.Room[..(int)input.Size];
        var error = _fileSystem.Read(NodeOf(in header), input.Fh, input.Offset, destination, input.ReadFlags, out var length);
        if (error == Errno.Ok) body.Advance(length, destination.Length);
        return error;
    }

    private Errno Write(in FuseInHeader header, in Caller caller, ref RequestReader arguments, ref ReplyWriter body,
        out Deferral deferral)
    {
        deferral = default;
        if (!arguments.TryRead(out FuseWriteIn input) || Overflows(input.Offset, input.Size)) return Errno.EINVAL;
        if (input.Size != (uint)arguments.Rest.Length) return Errno.EINVAL;
        var error = _fileSystem.Write(caller, NodeOf(in header), input.Fh, input.Offset, arguments.Rest,
            input.WriteFlags, out var written, out deferral);
        if (error != Errno.Ok) return error;
        if (written > input.Size) throw new InvalidOperationException($"The file system wrote {written} of {input.Size} bytes.");
        body.Append(new FuseWriteOut { Size = written });
        return Errno.Ok;
    }

    private Errno Flush(in FuseInHeader header, ref RequestReader arguments) =>
        arguments.TryRead(out FuseFlushIn input) ? _fileSystem.Flush(NodeOf(in header), input.Fh) : Errno.EINVAL;

    private Errno Sync(in FuseInHeader header, ref RequestReader arguments, out Deferral deferral)
    {
        deferral = default;
        return arguments.TryRead(out FuseFsyncIn input)
            ? _fileSystem.Sync(NodeOf(in header), input.Fh, (input.FsyncFlags & FuseFsyncIn.DataOnly) != 0, out deferral)
            : Errno.EINVAL;
    }

    private Errno Allocate(in FuseInHeader header, in Caller caller, ref RequestReader arguments, out Deferral deferral)
    {
        deferral = default;
        if (!arguments.TryRead(out FuseFallocateIn input)) return Errno.EINVAL;
        if (input.Length == 0 || Overflows(input.Offset, input.Length)) return Errno.EINVAL;
        // fallocate(2): a hole cannot change the size, and is not the same as zeroing.
        var known = input.Mode is 0 or KeepSize or (PunchHole | KeepSize) or ZeroRange or (ZeroRange | KeepSize);
        if (!known) return Errno.EOPNOTSUPP;
        return _fileSystem.Allocate(caller, NodeOf(in header), input.Fh, input.Offset, input.Length, input.Mode, out deferral);
    }

    private Errno Seek(in FuseInHeader header, ref RequestReader arguments, ref ReplyWriter body)
    {
        if (!arguments.TryRead(out FuseLseekIn input)) return Errno.EINVAL;
        if (input.Whence is not (SeekData or SeekHole)) return Errno.EINVAL;
        // A negative offset lies in no file, like one past the end: ext4 and tmpfs answer the same.
        if (Overflows(input.Offset, 0)) return Errno.ENXIO;
        var error = _fileSystem.Seek(NodeOf(in header), input.Fh, input.Offset, input.Whence, out var found);
        if (error == Errno.Ok) body.Append(new FuseLseekOut { Offset = found });
        return error;
    }

    /// <summary>File offsets are signed 64-bit numbers: no range may begin or end past 2^63 - 1.</summary>
    private static bool Overflows(ulong offset, ulong length) => offset > long.MaxValue || length > long.MaxValue - offset;
}
