using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using Tmem.Fuse.Native;
using Xunit;

namespace Tmem.Fuse.Tests.Keeper;

/// <summary>
/// The substitute for memory that is never swapped, on kernels before Linux 6.4. It works on every kernel, so it can be tested
/// here.
/// </summary>
public sealed unsafe class LockedSegmentTests
{
    private const int PageSize = 4096;
    private const int Bytes = 64 << 20;
    private const int MADV_REMOVE = 9;

    [Fact]
    public void Pages_stay_as_they_come_whoever_touches_them_and_holes_take_none()
    {
        if (!Environment.IsPrivilegedProcess) Assert.Skip("Opening a segment's file needs root.");
        var descriptor = LockedSegment.Create(out var segment);
        Assert.True(descriptor >= 0, "no segment");
        Assert.Equal(0, NativeProcess.ftruncate(descriptor, Bytes));
        Assert.True(LockedSegment.TryLock(segment));
        Assert.InRange(KibibytesOf(descriptor), 0, 8);
        var memory = (byte*)Libc.mmap(null, Bytes, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, descriptor, 0);
        Assert.NotEqual(-1, (nint)memory);
        try
        {
            const int touched = 1024;
            for (var page = 0; page < touched; page++) memory[(nint)page * PageSize * 4] = (byte)page;
            Assert.InRange(KibibytesOf(descriptor), touched * 4, touched * 4 + 64);
            // Pages reach the unevictable list in batches.
            Assert.InRange(Enumerable.Range(0, touched).Count(page => Stays(memory + (nint)page * PageSize * 4)),
                touched * 8 / 10, touched);
            Assert.Equal(0, Tmds.Linux.LibC.madvise(memory, Bytes / 8, MADV_REMOVE));
            Assert.InRange(KibibytesOf(descriptor), touched * 2, touched * 2 + 64);
            Assert.Equal(0, memory[0]);
            // Another process that holds it has one page of it, not its later length.
            var before = Mapped();
            LockedSegment.Hold(segment, descriptor);
            Assert.Equal(before + PageSize, Mapped());
        }
        finally
        {
            _ = Libc.munmap(memory, Bytes);
            _ = Libc.close(descriptor);
        }
    }

    /// <summary>Bytes of segments that this process maps.</summary>
    private static long Mapped() =>
        File.ReadLines("/proc/self/maps").Where(line => line.Contains("/SYSV", StringComparison.Ordinal))
        .Select(line => line.Split(' ')[0].Split('-').Select(address => Convert.ToInt64(address, 16)).ToArray())
            .Sum(range => range[1] - range[0]);

    private static long KibibytesOf(int descriptor)
    {
        using var stat = Process.Start(
            new ProcessStartInfo("stat",
                ["-L", "-c", "%b", $"/proc/{Environment.ProcessId}/fd/{descriptor}"]) { RedirectStandardOutput = true })!;
        return long.Parse(stat.StandardOutput.ReadToEnd(), CultureInfo.InvariantCulture) / 2;
    }

    /// <summary>KPF_UNEVICTABLE of the page's frame.</summary>
    private static bool Stays(byte* address)
    {
        const ulong frameMask = (1UL << 55) - 1;
        const int unevictable = 18;
        var frame = Entry("/proc/self/pagemap", (nint)address / PageSize) & frameMask;
        return (Entry("/proc/kpageflags", (nint)frame) >> unevictable & 1) != 0;
    }

    private static ulong Entry(string file, nint number)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 0);
        stream.Seek(number * 8, SeekOrigin.Begin);
        Span<byte> entry = stackalloc byte[8];
        stream.ReadExactly(entry);
        return BinaryPrimitives.ReadUInt64LittleEndian(entry);
    }
}
