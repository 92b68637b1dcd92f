using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tmem.Ctl.Swap;
using Tmem.Fuse.Mount;

namespace Tmem.Ctl.Recover;

/// <summary>The kernel this runs on.</summary>
internal sealed class LinuxMountSystem : IMountSystem
{
    private const string FileSystemType = "fuse.tmem";
    private const string Connections = "/sys/fs/fuse/connections";
    private const string Device = "/dev/fuse";

    /// <inheritdoc/>
    public IReadOnlyList<TmemMount> Mounts()
    {
        var mounts = MountTable.Read().Where(entry => entry.FileSystemType == FileSystemType).ToList();
        if (mounts.Count == 0) return [];
        var holders = Holders();
        // Where the kernel names connections (Linux 6.11 does), a descriptor without one belongs to none; elsewhere it may belong to any.
        if (holders.Any(holder => holder.Connection is not null)) holders.RemoveAll(holder => holder.Connection is null);
        return
        [
            .. mounts.Select(mount =>
            {
                var own = holders.Where(holder => holder.Connection is null || holder.Connection == mount.DeviceMinor).ToList();
                return new TmemMount(mount.MountPoint, mount.DeviceMinor, [.. own.Select(holder => holder.Name).Distinct()], own.Any(holder => holder.IsDaemon));
            }),
        ];
    }

    /// <inheritdoc/>
    public unsafe bool IsDead(string mountPoint)
    {
        const int room = 256; // struct statfs has 120 bytes
        var buffer = stackalloc byte[room];
        return NativeMethods.FileSystemStatus(mountPoint, buffer) != 0 && Marshal.GetLastPInvokeError() is NativeMethods.ENOTCONN or NativeMethods.ECONNABORTED;
    }

    /// <inheritdoc/>
    public string? Abort(int connection)
    {
        if (!Directory.Exists($"{Connections}/{connection}") && NativeMethods.Mount("fusectl", Connections, "fusectl", 0, null) != 0)
            return $"mount fusectl on {Connections}: {NativeMethods.LastError()}";
        try
        {
            File.WriteAllText($"{Connections}/{connection}/abort", "1");
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return error.Message;
        }
    }

    /// <inheritdoc/>
    public string? Unmount(string mountPoint, bool lazily) =>
        NativeMethods.Unmount(mountPoint, lazily ? NativeMethods.Detach : 0) == 0 ? null : NativeMethods.LastError();

    /// <inheritdoc/>
    public bool RemoveStaleSocket(string path)
    {
        if (!File.Exists(path)) return false;
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return false;
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Who has /dev/fuse open, and for which connection.</summary>
    private static List<(string Name, bool IsDaemon, int? Connection)> Holders()
    {
        var found = new List<(string, bool, int?)>();
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0])))
        {
            try
            {
                foreach (var descriptor in Directory.EnumerateFileSystemEntries(process + "/fd"))
                {
                    if (new FileInfo(descriptor).LinkTarget != Device) continue;
                    var name = File.ReadAllText(process + "/comm").Trim();
                    var connection = ConnectionOf($"{process}/fdinfo/{Path.GetFileName(descriptor)}");
                    found.Add(($"{name} (process {Path.GetFileName(process)})", name.StartsWith("tmemd", StringComparison.Ordinal), connection));
                }
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // The process or the descriptor has gone meanwhile.
            }
        }
        return found;
    }

    private static int? ConnectionOf(string information)
    {
        const string key = "fuse_connection:";
        var line = File.ReadLines(information).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal));
        return line is not null && int.TryParse(line.AsSpan(key.Length).Trim(), CultureInfo.InvariantCulture, out var number) ? number : null;
    }
}
