using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Session;

/// <summary>
/// A session thread's buffer: native, touched and locked before the first request, so that serving one never takes a page fault. The data
/// of a message begins on a page boundary: <see cref="Span"/> starts as many bytes before one as the message's header has.
/// </summary>
internal sealed unsafe class LockedBuffer : IDisposable
{
    private const int PageSize = 4096;
    private readonly nuint _mapped;
    private readonly int _lead;
    private readonly int _length;
    private byte* _base;

    /// <summary>A buffer of <paramref name="lead"/> + <paramref name="data"/> bytes.</summary>
    /// <exception cref="StartupException">No memory.</exception>
    public LockedBuffer(int lead, int data)
    {
        _lead = lead;
        _length = lead + data;
        _mapped = (nuint)(PageSize + ((data + PageSize - 1) & -PageSize));
        var address = Libc.mmap(null, _mapped, Libc.PROT_READ | Libc.PROT_WRITE,
            Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_POPULATE, -1, 0);
        if ((nint)address == -1)
            throw new StartupException($"No memory for a session buffer of {_mapped} bytes: {Libc.Describe(Libc.LastError)}. Use fewer --threads.");
        _base = (byte*)address;
        if (Libc.mlock(address, _mapped) != 0) LockError = Libc.LastError;
    }

    /// <summary>Why the buffer is not locked, if it is not.</summary>
    public Errno LockError { get; }

    public Span<byte> Span => new(_base + PageSize - _lead, _length);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_base == null) return;
        _ = Libc.munmap(_base, _mapped);
        _base = null;
    }
}
