using Tmem.Control;
using Tmem.Control.Host;

namespace Tmem.Ctl.Mounts;

/// <summary>
/// Finds the daemon that serves a mount, by asking those whose sockets lie where sockets lie. The kernel does not tell who serves
/// a connection.
/// </summary>
internal static class DaemonFinder
{
    /// <summary>One that takes longer to tell what it serves is not the one that is looked for, or of no use.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <summary>The path of its socket; null if none is found.</summary>
    public static string? SocketOf(string directory) => SocketOf(directory, MountTable.Read(), MountSocket.Folder);

    /// <summary>The same with a given mount table, and sockets in another folder.</summary>
    public static string? SocketOf(string directory, IReadOnlyList<MountEntry> mounts, string folder)
    {
        if (MountTable.At(directory, mounts) is not { } mount) return null;
        return Candidates(directory, folder).FirstOrDefault(path =>
            new ControlClient(path) { Patience = s_patience }.Status().Value is { } status
            && status.MountPoint == directory && status.Connection == mount.DeviceMinor);
    }

    private static IEnumerable<string> Candidates(string directory, string folder)
    {
        var first = MountSocket.Of(directory);
        if (File.Exists(first)) yield return first;
        if (!Directory.Exists(folder)) yield break;
        foreach (var path in Directory.EnumerateFiles(folder, "*.sock").Order(StringComparer.Ordinal))
            if (path != first) yield return path;
    }
}
