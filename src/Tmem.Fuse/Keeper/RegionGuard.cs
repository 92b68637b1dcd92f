using System.Runtime.InteropServices;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// A mapping of the region that keeps what is in it from being swapped out: a page stays locked as long as any process has it in a locked
/// mapping. The mapping locks pages as they become present in it, and they become present here a piece at a time, data only: holes stay
/// holes. The keeper has one because a worker's own locks die with it.
/// </summary>
internal sealed unsafe partial class RegionGuard(int descriptor)
{
    private const long Interval = 1000;
    /// <summary>What one step walks over at most: 16384 pages, a few milliseconds where all are new.</summary>
    private const long StepBytes = 64L << 20;
    /// <summary>What is asked for at once: to find where data ends, the kernel looks at all that follows, so not too little.</summary>
    private const long PieceBytes = 16L << 20;
    private const int SEEK_DATA = 3;
    private const int SEEK_HOLE = 4;
    private const int MADV_POPULATE_READ = 22;
    private const uint MLOCK_ONFAULT = 1;

    private byte* _start;
    private long _length;
    private long _next;
    private long _due;

    /// <summary>Goes on where it stopped, if it is time. Allocates nothing managed.</summary>
    public void Step()
    {
        var now = Environment.TickCount64;
        if (now < _due) return;
        _due = now + Interval;
        if (_start == null && !TryMap()) return;
        for (var bytes = StepBytes; bytes > 0;)
        {
            var data = lseek(descriptor, _next, SEEK_DATA);
            // No data behind here, or a file system that cannot tell.
            if (data < 0 || data >= _length)
            {
                _next = 0;
                return;
            }
            var end = Math.Min(Math.Min(lseek(descriptor, data, SEEK_HOLE), _length), data + PieceBytes);
            _ = madvise(_start + data, (nuint)(end - data), MADV_POPULATE_READ);
            bytes -= end - data;
            _next = end;
        }
    }

    /// <summary>The region has its length once the first worker made it.</summary>
    private bool TryMap()
    {
        var length = lseek(descriptor, 0, 2);
        if (length <= 0) return false;
        // What is mapped from now on is locked whole, and would be filled: but for this.
        _ = Libc.mlockall(Libc.MCL_FUTURE | Libc.MCL_ONFAULT);
        var address = Libc.mmap(null, (nuint)length, Libc.PROT_READ, Libc.MAP_SHARED, descriptor, 0);
        _ = Libc.mlockall(Libc.MCL_FUTURE);
        if ((nint)address == -1) return false;
        _ = mlock2(address, (nuint)length, MLOCK_ONFAULT);
        _start = (byte*)address;
        _length = length;
        return true;
    }

    [LibraryImport("libc")]
    private static partial long lseek(int descriptor, long offset, int whence);

    [LibraryImport("libc")]
    private static partial int madvise(void* address, nuint length, int advice);

    [LibraryImport("libc")]
    private static partial int mlock2(void* address, nuint length, uint flags);
}
