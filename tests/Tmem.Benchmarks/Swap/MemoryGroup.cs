using System.Globalization;

namespace Tmem.Benchmarks.Swap;

/// <summary>
/// A memory cgroup with a limit, made for one run and removed after it, so that the benchmark's pages swap and nothing else does.
/// Version 1 where that hierarchy is mounted, else version 2.
/// </summary>
internal sealed class MemoryGroup : IDisposable
{
    private const string Version_one = "/sys/fs/cgroup/memory";
    private const string Version_two = "/sys/fs/cgroup";

    private MemoryGroup(string folder) => Folder = folder;

    public string Folder { get; }

    /// <summary>Makes a group that may hold so many bytes.</summary>
    public static MemoryGroup Create(string name, long limit)
    {
        var first = File.Exists(Path.Combine(Version_one, "memory.limit_in_bytes"));
        if (!first && !File.Exists(Path.Combine(Version_two, "cgroup.controllers")))
            throw new BenchmarkException(
                "no memory cgroup hierarchy; mount one: mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory.");
        var group = new MemoryGroup(Path.Combine(first ? Version_one : Version_two, name));
        try
        {
            if (!first) File.WriteAllText(Path.Combine(Version_two, "cgroup.subtree_control"), "+memory");
            Directory.CreateDirectory(group.Folder);
            group.Write(first ? "memory.limit_in_bytes" : "memory.max", limit.ToString(CultureInfo.InvariantCulture));
            // 60 is the default of a machine; a group of version 1 keeps its own, version 2 has only the machine's.
            if (first) group.Write("memory.swappiness", "60");
            return group;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            group.Dispose();
            throw new BenchmarkException($"cannot make the memory cgroup {group.Folder}: {error.Message}; run as root.");
        }
    }

    /// <summary>Moves the calling process into a group.</summary>
    public static void Join(string folder)
    {
        try
        {
            File.WriteAllText(Path.Combine(folder, "cgroup.procs"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new BenchmarkException($"cannot join the memory cgroup {folder}: {error.Message}");
        }
    }

    public void Dispose()
    {
        // A group stays busy for a moment after its last process ended.
        for (var tries = 0; Directory.Exists(Folder) && tries < 100; tries++)
        {
            try
            {
                Directory.Delete(Folder);
            }
            catch (IOException)
            {
                Thread.Sleep(20);
            }
        }
    }

    private void Write(string file, string value) => File.WriteAllText(Path.Combine(Folder, file), value);
}
