using Tmem.Control.Host;

namespace Tmem.Fuse.Mount;

/// <summary>
/// The mounts that a mount namespace sees, and the namespace's name: a process that lives in it, or "" for our own.
/// </summary>
internal sealed record MountView(string Owner, IReadOnlyList<MountEntry> Entries);

/// <summary>
/// Where else a file system is mounted: bound to another directory, or copied into another mount namespace. Unmounting ours
/// leaves it alive there, so a daemon that looked only at its own mount would announce its end, and stay. Copies that the kernel
/// unmounts together with ours do not count: those below a parent that receives the events of our parent (mount_namespaces(7),
/// "shared" and "master"), as services of systemd have them.
/// </summary>
internal static class MountCopies
{
    /// <summary>
    /// The mounts that stay when ours is unmounted, in words: "the mount on /b", "the mount on /a seen by process 7 (sh)".
    /// </summary>
    /// <param name="mountPoint">Our mount point.</param>
    /// <param name="connection">The minor number of its device.</param>
    /// <param name="own">Our namespace.</param>
    /// <param name="others">The other namespaces.</param>
    public static IReadOnlyList<string> Staying(string mountPoint, int connection, MountView own, IReadOnlyList<MountView> others)
    {
        var ours = MountTable.At(mountPoint, own.Entries);
        if (ours is not { } mount || !Is(mount, connection)) ours = null;
        var parent = ours is { } top ? ParentOf(top, own) : null;
        var groups = Receiving(parent?.Shared ?? 0, [own, .. others]);
        var place = parent is { } above ? Place(above, mountPoint) : "";
        var found = new List<string>();
        foreach (var view in (MountView[])[own, .. others])
        {
            foreach (var entry in view.Entries)
            {
                if (view == own && ours is { } self && entry.Id == self.Id) continue;
                if (Is(entry, connection) ? Goes(entry, view, groups, place) : !StandsOn(entry, mountPoint)) continue;
                var seen = view.Owner.Length == 0 ? "" : $" seen by {view.Owner}";
                found.Add($"the {(Is(entry, connection) ? "" : entry.FileSystemType + " ")}mount on {entry.MountPoint}{seen}");
            }
        }
        return found;
    }

    /// <summary>
    /// The type of the file system that is mounted over ours, at the same place; null if none is, or ours is not there.
    /// </summary>
    public static string? Cover(string mountPoint, int connection, IReadOnlyList<MountEntry> entries) =>
        MountTable.At(mountPoint, entries) is { } top && !Is(top, connection)
            && entries.Any(entry => entry.MountPoint == mountPoint && Is(entry, connection)) ? top.FileSystemType : null;

    private static bool Is(in MountEntry entry, int connection) => entry.DeviceMajor == 0 && entry.DeviceMinor == connection;

    /// <summary>
    /// An overlay with one of its layers on the mount: it holds the file system, not the mount, so it does not make an unmount
    /// fail.
    /// </summary>
    private static bool StandsOn(in MountEntry entry, string mountPoint) => entry.FileSystemType == "overlay"
        && entry.Options.Split([',', '=', ':'])
            .Any(word => word.StartsWith('/') && MountTable.IsBelow(MountTable.Unescape(word), mountPoint));

    /// <summary>
    /// Whether the kernel unmounts it with ours: same place below a parent that is a peer or a dependant of our parent.
    /// </summary>
    private static bool Goes(in MountEntry entry, MountView view, HashSet<int> groups, string place) =>
        groups.Count > 0 && ParentOf(entry, view) is { } parent
            && (groups.Contains(parent.Shared) || groups.Contains(parent.Master))
        && Place(parent, entry.MountPoint) == place;

    /// <summary>The peer groups that receive the events of a group, itself included; none if it is 0.</summary>
    private static HashSet<int> Receiving(int group, IReadOnlyList<MountView> views)
    {
        HashSet<int> groups = [];
        if (group == 0) return groups;
        groups.Add(group);
        bool grew;
        do
        {
            grew = false;
            foreach (var entry in views.SelectMany(view => view.Entries))
                if (entry.Shared != 0 && groups.Contains(entry.Master)) grew |= groups.Add(entry.Shared);
        }
        while (grew);
        return groups;
    }

    private static MountEntry? ParentOf(MountEntry entry, MountView view)
    {
        foreach (var candidate in view.Entries)
            if (candidate.Id == entry.Parent) return candidate;
        return null;
    }

    /// <summary>A mount point's directory within the parent's file system.</summary>
    private static string Place(in MountEntry parent, string mountPoint)
    {
        var below = parent.MountPoint == "/" ? mountPoint : mountPoint[Math.Min(parent.MountPoint.Length, mountPoint.Length)..];
        return parent.Root == "/" ? below : parent.Root + below;
    }
}
