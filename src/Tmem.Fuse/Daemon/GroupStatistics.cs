using System.Diagnostics;
using Tmem.Fuse.Native;
using Tmem.Fuse.Session;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// Has the kernel sum up its memory group statistics whenever two megabytes of pages have moved; by itself it does so every two
/// seconds.
/// <para>
/// Without this, a group at its limit is killed as out of memory while swap is free. Reclaim sees only the last sum of a group's
/// active and inactive pages. Pages that return soon after they went out become active at once; if half of a group's pages return
/// within two seconds, the old sum still shows enough inactive pages, so reclaim deactivates none, and there are none: the next
/// page finds nothing to reclaim, sixteen times in 160 us, and the killer is called. A trace of mm_vmscan_* shows it: no page is
/// deactivated for long before, and the last sixteen reclaims scan none. A program of 20 MiB in a group of 16 MiB that walks over
/// its memory died in 3 of 4 runs with a read-ahead of eight pages, in 1 of 4 without read-ahead (so vm.page-cluster is no cure),
/// and in none with this; with zram in none of 4.
/// </para>
/// Reading the statistics of the top group makes the kernel sum up all groups, which takes a tenth of a millisecond; at most a
/// tenth of a processor is spent on it, however many groups there are. An interval would not do: ten times a second is once in
/// two thousand pages of a program that walks fast, half of such a group.
/// </summary>
internal static unsafe class GroupStatistics
{
    private const int StackBytes = 128 * 1024;

    /// <summary>Pages between two sums; a small part of any group that is worth a limit.</summary>
    private const int Pages = 512;

    /// <summary>A sum that took long is followed by so many times as long without one.</summary>
    private const int RestFactor = 9;

    /// <summary>Version 1 of the memory controller, then version 2.</summary>
    private static ReadOnlySpan<byte> One => "/sys/fs/cgroup/memory/memory.stat\0"u8;
    private static ReadOnlySpan<byte> Two => "/sys/fs/cgroup/memory.stat\0"u8;

    /// <summary>
    /// Runs until the process ends; null where there are no memory groups. The session counts what it moves in what is returned.
    /// </summary>
    public static MovedPages? KeepFresh()
    {
        var isOne = TryRefresh(One);
        if (!isOne && !TryRefresh(Two)) return null;
        var moved = new MovedPages(Pages);
        new Thread(() => Run(moved, isOne), StackBytes) { IsBackground = true, Name = "group statistics" }.Start();
        return moved;
    }

    private static void Run(MovedPages moved, bool isOne)
    {
        while (true)
        {
            moved.Wait();
            var start = Stopwatch.GetTimestamp();
            _ = TryRefresh(isOne ? One : Two);
            Thread.Sleep(Stopwatch.GetElapsedTime(start) * RestFactor);
        }
    }

    /// <summary>One byte is enough: the kernel produces the whole text for it.</summary>
    private static bool TryRefresh(ReadOnlySpan<byte> path)
    {
        byte first;
        fixed (byte* name = path)
        {
            var descriptor = Libc.open(name, Libc.O_CLOEXEC);
            if (descriptor < 0) return false;
            var read = Libc.read(descriptor, &first, 1);
            _ = Libc.close(descriptor);
            return read == 1;
        }
    }
}
