using System.Runtime.InteropServices;
using System.Text;
using Tmds.Linux;

namespace Tmem.Benchmarks.Linux;

/// <summary>A device opened with O_DIRECT, read and written a page at a time from page-aligned memory.</summary>
internal sealed unsafe class DirectFile : IDisposable
{
    private readonly int _descriptor;

    public DirectFile(string path)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
            _descriptor = LibC.open(name, LibC.O_RDWR | LibC.O_DIRECT | LibC.O_CLOEXEC);
        if (_descriptor < 0)
            throw new BenchmarkException($"cannot open {path} with O_DIRECT: {Marshal.GetPInvokeErrorMessage(LibC.errno)}.");
    }

    public void Read(byte* page, long offset)
    {
        if (LibC.pread(_descriptor, page, PageFile.PageSize, offset) != PageFile.PageSize) throw Failed("read", offset);
    }

    public void Write(byte* page, long offset)
    {
        if (LibC.pwrite(_descriptor, page, PageFile.PageSize, offset) != PageFile.PageSize) throw Failed("write", offset);
    }

    /// <summary>Tells the device that a page is of no use any more.</summary>
    public void Discard(long offset)
    {
        const int blockDiscard = 0x1277;
        var range = stackalloc long[] { offset, PageFile.PageSize };
        if (LibC.ioctl(_descriptor, blockDiscard, range) != 0) throw Failed("discard", offset);
    }

    public void Dispose() => _ = LibC.close(_descriptor);

    private static BenchmarkException Failed(string what, long offset) =>
        new($"a direct {what} of 4 KiB at {offset} failed: {Marshal.GetPInvokeErrorMessage(LibC.errno)}.");
}
