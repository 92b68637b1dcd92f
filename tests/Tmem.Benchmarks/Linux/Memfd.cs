using System.Runtime.InteropServices;
using Tmds.Linux;

namespace Tmem.Benchmarks.Linux;

/// <summary>Memory with a descriptor, for regions that an engine attaches to and for asking the system what one takes.</summary>
internal sealed unsafe class Memfd : IDisposable
{
    private const int BlockBytes = 512;
    private readonly int _descriptor;

    public Memfd()
    {
        fixed (byte* name = "tmem-bench\0"u8) _descriptor = LibC.memfd_create(name, LibC.MFD_CLOEXEC);
        if (_descriptor < 0) throw Failed("memfd_create");
    }

    /// <summary>Memory that the system has given it.</summary>
    public long Bytes
    {
        get
        {
            stat status;
            if (LibC.fstat(_descriptor, &status) != 0) throw Failed("fstat of a memfd");
            return (long)status.st_blocks * BlockBytes;
        }
    }

    /// <summary>A descriptor for an engine, which closes it.</summary>
    public int Duplicate()
    {
        var descriptor = LibC.dup(_descriptor);
        return descriptor >= 0 ? descriptor : throw Failed("dup of a memfd");
    }

    public void Dispose() => _ = LibC.close(_descriptor);

    private static BenchmarkException Failed(string what) => new($"{what} failed: {Marshal.GetPInvokeErrorMessage(LibC.errno)}.");
}
