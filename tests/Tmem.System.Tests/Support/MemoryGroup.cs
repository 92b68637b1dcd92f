namespace Tmem.System.Tests.Support;

/// <summary>A memory cgroup with a limit for the processes of one test.</summary>
internal sealed class MemoryGroup : IDisposable
{
    private const string One = "/sys/fs/cgroup/memory";
    private const string Two = "/sys/fs/cgroup";

    public MemoryGroup(long limit)
    {
        Folder = Path.Combine(IsOne ? One : Two, $"tmem-test-{Environment.ProcessId}-{Guid.NewGuid():N}");
        if (!IsOne) File.WriteAllText(Path.Combine(Two, "cgroup.subtree_control"), "+memory");
        Directory.CreateDirectory(Folder);
        Limit = limit;
    }

    /// <summary>Its limit in bytes.</summary>
    public long Limit
    {
        set => File.WriteAllText(Path.Combine(Folder, IsOne ? "memory.limit_in_bytes" : "memory.max"), value.ToString());
    }

    /// <summary>The most that it has used, in bytes.</summary>
    public long Peak => long.Parse(File.ReadAllText(Path.Combine(Folder, IsOne ? "memory.max_usage_in_bytes" : "memory.peak")));

    public string Folder { get; }

    public static bool IsPossible => IsOne
        || (File.Exists($"{Two}/cgroup.controllers")
            && File.ReadAllText($"{Two}/cgroup.controllers").Contains("memory", StringComparison.Ordinal));

    private static bool IsOne => File.Exists($"{One}/memory.limit_in_bytes");

    /// <summary>Bytes of the group that lie on a swap device.</summary>
    public long Swapped => IsOne
        ? long.Parse(File.ReadLines(Path.Combine(Folder, "memory.stat"))
            .First(l => l.StartsWith("swap ", StringComparison.Ordinal)).Split(' ')[1])
        : long.Parse(File.ReadAllText(Path.Combine(Folder, "memory.swap.current")));

    /// <summary>Whatever its limit, the group is never swapped: required of the group that the daemon is in.</summary>
    public void KeepOutOfSwap() => File.WriteAllText(Path.Combine(Folder, IsOne ? "memory.swappiness" : "memory.swap.max"), "0");

    /// <summary>Moves a process into the group: its memory counts there from now on.</summary>
    public void Add(int process) => File.WriteAllText(Path.Combine(Folder, "cgroup.procs"), $"{process}");

    /// <summary>
    /// Makes the kernel reclaim what it can of the group's memory; at least so many bytes, if the kernel takes a number.
    /// </summary>
    public void Reclaim(long bytes)
    {
        try
        {
            if (IsOne) Bounded.Run(() => File.WriteAllText(Path.Combine(Folder, "memory.force_empty"), "0"));
            else Bounded.Run(() => File.WriteAllText(Path.Combine(Folder, "memory.reclaim"), $"{bytes}"));
        }
        catch (IOException)
        {
            // It reclaimed less than it was asked for.
        }
    }

    public void Dispose()
    {
        // Busy for a moment after the last process has ended.
        for (var tries = 0; Directory.Exists(Folder) && tries < 100; tries++)
        {
            try
            {
                Directory.Delete(Folder);
            }
            catch (IOException)
            {
                Thread.Sleep(50);
            }
        }
    }
}
