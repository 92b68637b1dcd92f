using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// Has the kernel sum up its memory group statistics ten times a second while pages move; by itself it does so every two seconds.
/// <para>
/// Without this, a group at its limit is killed as out of memory while swap is free. Reclaim sees only the last sum of a group's
/// active and inactive pages. Pages that return soon after they went out become active at once; if half of a group's pages return
/// within two seconds, the old sum still shows enough inactive pages, so reclaim deactivates none, and there are none: the next
/// page finds nothing to reclaim, sixteen times in 160 us, and the killer is called. A trace of mm_vmscan_* shows it: no page is
/// deactivated for long before, and the last sixteen reclaims scan none. A program of 20 MiB in a group of 16 MiB that walks over
/// its memory died in 3 of 4 runs with a read-ahead of eight pages, in 1 of 4 without read-ahead (so vm.page-cluster is no cure),
/// and in none with this; with zram in none of 4.
/// </para>
/// Reading the statistics of the top group makes the kernel sum up all groups. It takes a tenth of a millisecond, and is skipped
/// while the daemon is idle.
/// </summary>
internal static unsafe class GroupStatistics
{
    private const int StackBytes = 128 * 1024;

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    /// <summary>Processor time of this process in an interval below which few pages can have moved.</summary>
    private static readonly TimeSpan s_idle = TimeSpan.FromMicroseconds(500);

    /// <summary>Version 1 of the memory controller, then version 2.</summary>
    private static ReadOnlySpan<byte> One => "/sys/fs/cgroup/memory/memory.stat\0"u8;
    private static ReadOnlySpan<byte> Two => "/sys/fs/cgroup/memory.stat\0"u8;

    /// <summary>Runs until the process ends; does nothing where there are no memory groups.</summary>
    public static void KeepFresh()
    {
        var isOne = TryRefresh(One);
        if (!isOne && !TryRefresh(Two)) return;
        new Thread(() => Run(isOne), StackBytes) { IsBackground = true, Name = "group statistics" }.Start();
    }

    private static void Run(bool isOne)
    {
        var last = Environment.CpuUsage.TotalTime;
        while (true)
        {
            Thread.Sleep(s_interval);
            if (Environment.CpuUsage.TotalTime - last < s_idle) continue;
            _ = TryRefresh(isOne ? One : Two);
            // The time of the refresh itself does not count.
            last = Environment.CpuUsage.TotalTime;
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
