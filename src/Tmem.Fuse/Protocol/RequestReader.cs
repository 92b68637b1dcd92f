using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Protocol;

/// <summary>
/// A bounded cursor over a request's bytes after its header. It never reads outside the span; "short" and "malformed" are return
/// values. A failed read leaves the cursor where it was.
/// </summary>
internal ref struct RequestReader
{
    /// <summary>NAME_MAX.</summary>
    public const int MaximumName = 255;

    /// <summary>PATH_MAX less the NUL: the longest target of a symbolic link.</summary>
    public const int MaximumTarget = 4095;

    private ReadOnlySpan<byte> _rest;

    public RequestReader(ReadOnlySpan<byte> arguments) => _rest = arguments;

    /// <summary>The bytes not read yet.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>Reads a wire struct. False if too few bytes are left.</summary>
    public bool TryRead<T>(out T value) where T : unmanaged
    {
        if (!MemoryMarshal.TryRead(_rest, out value)) return false;
        _rest = _rest[Unsafe.SizeOf<T>()..];
        return true;
    }

    /// <summary>
    /// Reads a file name: 1 to 255 bytes up to a NUL, without '/', and neither "." nor "..", which the kernel resolves itself.
    /// EINVAL if malformed, ENAMETOOLONG if longer.
    /// </summary>
    public Errno TryReadName(out ReadOnlySpan<byte> name)
    {
        var error = TryReadString(MaximumName, Errno.ENAMETOOLONG, out name);
        if (error != Errno.Ok) return error;
        if (name.Contains((byte)'/') || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8)) return Errno.EINVAL;
        return Errno.Ok;
    }

    /// <summary>
    /// Reads an extended attribute's name: 1 to 255 bytes up to a NUL; '/' is allowed. ERANGE if longer, as in xattr(7).
    /// </summary>
    public Errno TryReadAttributeName(out ReadOnlySpan<byte> name) => TryReadString(MaximumName, Errno.ERANGE, out name);

    /// <summary>Reads a symbolic link's target: 1 to 4095 bytes up to a NUL.</summary>
    public Errno TryReadTarget(out ReadOnlySpan<byte> target) => TryReadString(MaximumTarget, Errno.ENAMETOOLONG, out target);

    private Errno TryReadString(int maximum, Errno tooLong, out ReadOnlySpan<byte> text)
    {
        var length = _rest.IndexOf((byte)0);
        text = default;
        if (length <= 0) return Errno.EINVAL;
        if (length > maximum) return tooLong;
        text = _rest[..length];
        _rest = _rest[(length + 1)..];
        return Errno.Ok;
    }
}
