using Tmem.Fuse.Native;

namespace Tmem.Fuse.Session;

/// <summary>
/// A session thread's buffer: native, touched and locked before the first request, so that serving one never takes a page fault.
/// The data of a message begins on a page boundary: <see cref="Span"/> starts as many bytes before a page as the message's header
/// is long. It is private memory, or a part of a memory file, where a successor process finds its contents.
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
    public LockedBuffer(int lead, int data) : this(lead, data, -1, 0) { }

    /// <summary>A buffer in a memory file, from <paramref name="offset"/> on.</summary>
    /// <exception cref="StartupException">No memory.</exception>
    public LockedBuffer(int lead, int data, int file, long offset)
    {
        _lead = lead;
        _length = lead + data;
        _mapped = (nuint)MappedBytes(data);
        var kind = file < 0 ? Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS : Libc.MAP_SHARED;
        var address = Libc.mmap(null, _mapped, Libc.PROT_READ | Libc.PROT_WRITE, kind | Libc.MAP_POPULATE, file, (nint)offset);
        if ((nint)address == -1)
            throw new StartupException(
                $"No memory for a session buffer of {_mapped} bytes: {Libc.Describe(Libc.LastError)}. Use fewer --threads.");
        _base = (byte*)address;
        // Clients' data does not belong in a core dump.
        _ = Libc.madvise(address, _mapped, Libc.MADV_DONTDUMP);
        if (Libc.mlock(address, _mapped) != 0) LockError = Libc.LastError;
    }

    /// <summary>Why the buffer is not locked, if it is not.</summary>
    public Errno LockError { get; }

    /// <summary>Bytes mapped for a buffer with so many bytes of data.</summary>
    public static int MappedBytes(int data) => PageSize + ((data + PageSize - 1) & -PageSize);

    public Span<byte> Span => new(_base + PageSize - _lead, _length);

    /// <summary>The bytes before <see cref="Span"/>, from the start of the first page on: room for a note.</summary>
    public Span<byte> Head => new(_base, PageSize - _lead);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_base == null) return;
        _ = Libc.munmap(_base, _mapped);
        _base = null;
    }
}
