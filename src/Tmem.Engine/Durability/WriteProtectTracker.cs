using System.Runtime.InteropServices;
using Tmem.Engine.Format;
using Tmem.Engine.Native;
using Tmem.Engine.Region;
using static Tmds.Linux.LibC;

namespace Tmem.Engine.Durability;

/// <summary>
/// Uses the kernel's tracking: the region is write-protected page by page, the first write to a page lifts its protection without
/// a notification (userfaultfd, asynchronous), and one ioctl lists the pages without protection and protects them again. A write
/// pays a fault of about 1 us, once a page and checkpoint; a read pays nothing.
/// <para>A page that was protected when it was punched stays so, and is listed as unwritten even after it is read again, so
/// punches are noted here. Otherwise the image would keep its old contents, and return them to a span reused for something
/// else.</para>
/// </summary>
internal sealed unsafe class WriteProtectTracker : IChangeTracker
{
    private const int RegionsACall = 512;

    private readonly RegionMemory _memory;
    private readonly int _userfault;
    private readonly int _pagemap;
    private PageSet _punched;
    private PageSet _taken;
    private int _punchedLatch;
    private readonly PagemapRegion[] _regions = GC.AllocateArray<PagemapRegion>(RegionsACall, pinned: true);

    private WriteProtectTracker(RegionMemory memory, int userfault, int pagemap)
    {
        _memory = memory;
        _userfault = userfault;
        _pagemap = pagemap;
        _punched = new PageSet(memory.Length);
        _taken = new PageSet(memory.Length);
    }

    /// <summary>Null where the kernel (before 6.7) or a sandbox does not allow it.</summary>
    public static WriteProtectTracker? TryCreate(RegionMemory memory)
    {
        var userfault = (int)syscall(NativeMethods.UserfaultCall, O_CLOEXEC | O_NONBLOCK | NativeMethods.UserModeOnly);
        if (userfault < 0) return null;
        int pagemap;
        fixed (byte* path = "/proc/self/pagemap\0"u8) pagemap = open(path, O_RDONLY | O_CLOEXEC);
        var tracker = new WriteProtectTracker(memory, userfault, pagemap);
        if (pagemap >= 0 && tracker.Register()) return tracker;
        tracker.Dispose();
        return null;
    }

    public ChangeTracking Kind => ChangeTracking.WriteProtection;

    public void Punched(long offset, long length)
    {
        SpinLatch.Enter(ref _punchedLatch, LatchRank.Notes);
        _punched.AddRange(offset / RegionLayout.PageSize, length / RegionLayout.PageSize);
        SpinLatch.Exit(ref _punchedLatch);
    }

    public void Collect(PageSet changed, long start, long end)
    {
        SpinLatch.Enter(ref _punchedLatch, LatchRank.Notes);
        (_taken, _punched) = (_punched, _taken);
        SpinLatch.Exit(ref _punchedLatch);
        changed.AddAll(_taken);
        _taken.Clear();
        while (start < end)
        {
            if (!Scan(ref start, end, changed))
            {
                // After any failure, all may have been written.
                changed.AddRange(start / RegionLayout.PageSize, (end - start) / RegionLayout.PageSize);
                return;
            }
        }
    }

    /// <summary>Nothing to do: a write since the page was collected lifts its protection, whatever it writes.</summary>
    public void Taken(long page, ReadOnlySpan<byte> content) { }

    public void Dispose()
    {
        SystemCalls.Close(_userfault);
        if (_pagemap >= 0) SystemCalls.Close(_pagemap);
        _punched.Dispose();
        _taken.Dispose();
    }

    private bool Register()
    {
        var api = new UserfaultApi
        {
            Api = NativeMethods.UserfaultApi,
            Features = NativeMethods.FeatureWriteProtectAsync | NativeMethods.FeatureWriteProtectUnpopulated
                | NativeMethods.FeatureWriteProtectShmem,
        };
        if (NativeMethods.Control(_userfault, NativeMethods.UserfaultApiCall, &api) != 0) return false;
        var range = new UserfaultRegister
        {
            Start = (ulong)_memory.Start, Length = (ulong)_memory.Length, Mode = NativeMethods.RegisterWriteProtect,
        };
        if (NativeMethods.Control(_userfault, NativeMethods.RegisterCall, &range) != 0) return false;
        // Scans one page, to see whether the kernel has the ioctl.
        long start = 0;
        using var nothing = new PageSet(RegionLayout.PageSize);
        return Scan(ref start, RegionLayout.PageSize, nothing);
    }

    private bool Scan(ref long start, long end, PageSet changed)
    {
        fixed (PagemapRegion* regions = _regions)
        {
            var scan = new PagemapScan
            {
                Size = (ulong)sizeof(PagemapScan),
                Flags = NativeMethods.ScanWriteProtectMatching | NativeMethods.ScanCheckAsync,
                Start = (ulong)(_memory.Start + start),
                End = (ulong)(_memory.Start + end),
                Regions = (ulong)regions,
                RegionsLength = RegionsACall,
                CategoryMask = NativeMethods.PageIsWritten,
                ReturnMask = NativeMethods.PageIsWritten,
            };
            nint found;
            do
            {
                found = NativeMethods.Control(_pagemap, NativeMethods.PagemapScanCall, &scan);
            }
            while (found < 0 && Marshal.GetLastPInvokeError() == EINTR);
            if (found < 0) return false;
            for (var i = 0; i < (int)found; i++)
            {
                var offset = (long)(regions[i].Start - (ulong)_memory.Start);
                changed.AddRange(offset / RegionLayout.PageSize,
                    (long)(regions[i].End - regions[i].Start) / RegionLayout.PageSize);
            }
            start = (long)(scan.WalkEnd - (ulong)_memory.Start);
            return true;
        }
    }
}
