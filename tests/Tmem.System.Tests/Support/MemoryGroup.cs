namespace Tmem.System.Tests.Support;

/// <summary>A memory cgroup with a limit for one process of one test.</summary>
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

    /// <summary>Bytes that it may take.</summary>
    public long Limit
    {
        set => File.WriteAllText(Path.Combine(Folder, IsOne ? "memory.limit_in_bytes" : "memory.max"), value.ToString());
    }

    /// <summary>The most that it has taken.</summary>
    public long Peak => long.Parse(File.ReadAllText(Path.Combine(Folder, IsOne ? "memory.max_usage_in_bytes" : "memory.peak")));

    public string Folder { get; }

    public static bool IsPossible => IsOne
        || (File.Exists($"{Two}/cgroup.controllers") && File.ReadAllText($"{Two}/cgroup.controllers").Contains("memory", StringComparison.Ordinal));

    private static bool IsOne => File.Exists($"{One}/memory.limit_in_bytes");

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
