using Tmem.Control.Host;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>Options that are possible but cannot be meant: refused before anything is made, or warned of.</summary>
internal static class StartChecks
{
    private const int MostThreadsAProcessor = 4;

    /// <summary>Checks the options against the machine.</summary>
    /// <returns>Warnings.</returns>
    /// <exception cref="StartupException">They contradict each other.</exception>
    public static IEnumerable<string> Run(DaemonOptions options)
    {
        var mount = Resolve(options.MountPoint);
        RefuseBelow(mount, "--socket", options.SocketPath, "/run/tmem/tmemd.sock");
        if (options.RegionPath is { } region) RefuseBelow(mount, "--region", region, "/var/lib/tmem/region");
        List<string> warnings = [];
        var most = MostThreadsAProcessor * Environment.ProcessorCount;
        if (options.Threads > most)
        {
            warnings.Add(
                $"--threads {options.Threads} on a machine with {Environment.ProcessorCount} processors: more than {most} only "
                + "wait for each other. "
                + $"Each takes locked memory; {DaemonOptions.DefaultThreads} is the usual number.");
        }
        // A mount whose daemon is gone cannot be read, and is refused by name later.
        if (MountTable.At(mount, MountTable.Read()) is null && IsFull(mount))
            warnings.Add(
                $"{mount} is not empty: what is in it is out of sight until the daemon ends. Mount on an empty directory if you "
                + "did not mean that.");
        return warnings;
    }

    private static void RefuseBelow(string mount, string option, string path, string example)
    {
        var folder = Resolve(Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/");
        if (MountTable.IsBelow(folder, mount))
            throw new StartupException(
                $"{option} {path} lies below the mount point {mount}, where nobody would find it once that is mounted. Give a "
                + $"place outside, as in {option} {example}.");
    }

    private static string Resolve(string path)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        return MountTable.At(full, MountTable.Read()) is null ? Libc.RealPath(full) ?? full : full;
    }

    private static bool IsFull(string directory)
    {
        try
        {
            return Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
