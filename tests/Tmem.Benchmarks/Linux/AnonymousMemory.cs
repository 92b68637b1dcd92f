using System.Runtime.InteropServices;

namespace Tmem.Benchmarks.Linux;

/// <summary>Private anonymous memory in 4 KiB pages, outside the managed heap: what swaps when a limit is reached.</summary>
internal sealed unsafe class AnonymousMemory : IDisposable
{
    private byte* _start;

    public AnonymousMemory(long bytes)
    {
        Bytes = bytes;
        _start = Native.mmap(null, (nuint)bytes, Native.ProtReadWrite, Native.MapPrivateAnonymous, -1, 0);
        if (_start == (byte*)-1)
        {
            var reason = Marshal.GetLastPInvokeErrorMessage();
            throw new BenchmarkException($"cannot map {bytes} bytes of memory: {reason}; ask for fewer with --bytes.");
        }
        // Huge pages would swap 512 pages at once and measure something else.
        _ = Native.madvise(_start, (nuint)bytes, Native.MadviseNoHugePage);
    }

    public long Bytes { get; }

    public byte* Page(long number) => _start + number * PageFile.PageSize;

    public void Dispose()
    {
        if (_start == null) return;
        _ = Native.munmap(_start, (nuint)Bytes);
        _start = null;
    }
}
