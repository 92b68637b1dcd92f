using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// Has the kernel sum up what it counts of memory groups ten times a second while pages move, where by itself it does so every
/// two seconds.
/// <para>
/// Without this, a group at its limit is killed as out of memory while swap is free. What reclaim knows of a group's active and
/// inactive pages is the last sum. Pages that come back soon after they went out count as active at once; if half of a group's
/// pages come back in less than two seconds, the old sum says that there are inactive pages enough, so reclaim makes none, and
/// there is none: the next page finds nothing to take, sixteen times in 160 us, and the killer is called. Seen in a trace of
/// mm_vmscan_*: no page is made inactive for long before, and the last sixteen reclaims look at none. A program of 20 MiB in a
/// group of 16 MiB that walks over its memory died in 3 of 4 runs with a read-ahead of eight pages, in 1 of 4 without read-ahead
/// (so vm.page-cluster is no cure), and in none with this; with zram in none of 4.
/// </para>
/// Reading the statistics of the top group is what makes the kernel sum up all groups. It takes a tenth of a millisecond, and is
/// left out while the daemon has nothing to do.
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

    /// <summary>Goes on until the process ends; does nothing where there are no memory groups.</summary>
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
            // What this took is not work that calls for more of it.
            last = Environment.CpuUsage.TotalTime;
        }
    }

    /// <summary>One byte is enough: the kernel makes the whole text for it.</summary>
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
