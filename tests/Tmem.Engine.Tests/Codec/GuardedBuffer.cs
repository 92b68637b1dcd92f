using System.Runtime.InteropServices;

namespace Tmem.Engine.Tests.Codec;

/// <summary>
/// Memory with an unreadable page directly before and after it: at either edge, one byte too far is a fault that ends the test
/// process, the loudest possible failure.
/// </summary>
internal sealed unsafe partial class GuardedBuffer : IDisposable
{
    private const int Page = 4096;
    private readonly byte* _mapping;
    private readonly nuint _mapped;
    private readonly int _room;

    /// <param name="bytes">The longest span needed.</param>
    public GuardedBuffer(int bytes)
    {
        _room = (bytes + Page - 1) / Page * Page;
        _mapped = (nuint)_room + 2 * Page;
        _mapping = mmap(null, _mapped, 3, 0x22, -1, 0);
        if (_mapping == (byte*)-1) throw new InvalidOperationException($"cannot map {_mapped} bytes for a test buffer");
        if (mprotect(_mapping, Page, 0) != 0 || mprotect(_mapping + Page + _room, Page, 0) != 0)
            throw new InvalidOperationException("cannot protect the guard pages of a test buffer");
    }

    /// <summary>A span that begins directly after the first guard page.</summary>
    public Span<byte> AtStart(int bytes) => new(_mapping + Page, Checked(bytes));

    /// <summary>A span that ends directly before the second guard page.</summary>
    public Span<byte> AtEnd(int bytes) => new(_mapping + Page + _room - Checked(bytes), bytes);

    /// <summary>One or the other.</summary>
    public Span<byte> At(bool start, int bytes) => start ? AtStart(bytes) : AtEnd(bytes);

    public void Dispose() => _ = munmap(_mapping, _mapped);

    private int Checked(int bytes) =>
        bytes <= _room ? bytes : throw new ArgumentOutOfRangeException(nameof(bytes), $"{bytes} of {_room} bytes");

    [LibraryImport("libc")]
    private static partial byte* mmap(byte* address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc")]
    private static partial int mprotect(byte* address, nuint length, int protection);

    [LibraryImport("libc")]
    private static partial int munmap(byte* address, nuint length);
}
