using System.Diagnostics;
using System.Globalization;
using Tmem.Control.Host;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Recover;

/// <summary>The real kernel.</summary>
internal sealed class LinuxMountSystem : IMountSystem
{
    private const string FileSystemType = "fuse.tmem";
    private const string Device = "/dev/fuse";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public IReadOnlyList<TmemMount> Mounts()
    {
        // An ordinary user can mount a file system of this type through fusermount: the kernel notes the user.
        var mounts = MountTable.Read()
            .Where(entry => entry.FileSystemType == FileSystemType && entry.Options.Split(',').Contains("user_id=0")).ToList();
        if (mounts.Count == 0) return [];
        var holders = Holders();
        return
        [
            // The topmost mount first.
            .. mounts.AsEnumerable().Reverse().Select(mount => new TmemMount(mount.MountPoint, mount.DeviceMinor,
                [.. holders.Where(holder => holder.Connection == mount.DeviceMinor).Select(holder => holder.Name).Distinct()])),
        ];
    }

    /// <inheritdoc/>
    public MountState State(TmemMount mount)
    {
        // In a separate process: one whose request a daemon has read and does not answer cannot be killed, and would keep this
        // one from ending.
        var program = Environment.ProcessPath ?? "/proc/self/exe";
        var info = new ProcessStartInfo(program)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        if (Path.GetFileNameWithoutExtension(program) == "dotnet") info.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        info.ArgumentList.Add(ProbeName);
        info.ArgumentList.Add(mount.MountPoint);
        using var probe = Process.Start(info)!;
        if (!probe.WaitForExit(s_patience))
        {
            probe.Kill();
            return MountState.Silent;
        }
        return probe.ExitCode switch
        {
            ProbeAnswered => MountState.Answers,
            ProbeDead => MountState.Dead,
            _ => MountState.Silent,
        };
    }

    /// <summary>The hidden command that <see cref="State"/> starts.</summary>
    public const string ProbeName = "probe-mount";

    private const int ProbeAnswered = 40;
    private const int ProbeDead = 41;
    private const int ProbeFailed = 42;

    /// <summary>
    /// Sends a statfs to the file system on a path, and waits for the answer without a limit. Returns the exit code.
    /// </summary>
    public static int Probe(string mountPoint) => Machine.Ask(mountPoint) switch
    {
        Errno.Ok => ProbeAnswered,
        Errno.ENOTCONN or Errno.ECONNABORTED => ProbeDead,
        _ => ProbeFailed,
    };

    /// <inheritdoc/>
    public string? Over(TmemMount mount) => MountTable.At(mount.MountPoint, MountTable.Read()) switch
    {
        null => "it is not mounted any more",
        { FileSystemType: FileSystemType } top when top.DeviceMinor == mount.Connection => null,
        { FileSystemType: var other } => $"a {other} file system is mounted over it; unmount that first",
    };

    /// <inheritdoc/>
    public bool IsGone(TmemMount mount) => !MountTable.Read().Any(entry => entry.FileSystemType == FileSystemType
        && entry.DeviceMinor == mount.Connection && entry.MountPoint == mount.MountPoint);

    /// <inheritdoc/>
    public string? Below(TmemMount mount)
    {
        var below = MountTable.Read().Where(entry => entry.MountPoint != mount.MountPoint
            && MountTable.IsBelow(entry.MountPoint, mount.MountPoint)).ToList();
        return below.Count == 0 ? null
            : $"a {below[^1].FileSystemType} file system is mounted on {below[^1].MountPoint}; unmount that first";
    }

    /// <inheritdoc/>
    public string? Unmount(TmemMount mount, bool lazily) => Machine.Unmount(mount.MountPoint, lazily).Problem();

    /// <inheritdoc/>
    public string? Leave(int connection) => OwnHolds.Leave(connection);

    /// <inheritdoc/>
    public bool RemoveStaleSocket(string path, out string? left) => StaleSocket.Remove(path, out left);

    /// <summary>
    /// The processes that have a connection open, as far as /proc shows it: kernels from 6.11 show a descriptor's connection.
    /// </summary>
    private static List<(string Name, int Connection)> Holders()
    {
        var found = new List<(string, int)>();
        foreach (var process in Directory.EnumerateDirectories("/proc")
            .Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0])))
        {
            try
            {
                foreach (var descriptor in ProcessDescriptors.Of(process))
                {
                    if (new FileInfo(descriptor).LinkTarget != Device) continue;
                    if (ConnectionOf($"{process}/fdinfo/{Path.GetFileName(descriptor)}") is { } connection)
                        found.Add(
                            ($"{File.ReadAllText(process + "/comm").Trim()} (process {Path.GetFileName(process)})", connection));
                }
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // The process or the descriptor is gone.
            }
        }
        return found;
    }

    private static int? ConnectionOf(string information)
    {
        const string key = "fuse_connection:";
        var line = File.ReadLines(information).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal));
        return line is not null && int.TryParse(line.AsSpan(key.Length).Trim(), CultureInfo.InvariantCulture, out var number)
            ? number : null;
    }
}
