using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Settings;

namespace Tmem.Ctl.Reload;

/// <summary>
/// [store] against what runs. The capacity is changed in use; what a worker is told when it starts is applied by starting another
/// in its place; the rest belongs to the mount, which a restart makes anew.
/// </summary>
internal static class StorePlan
{
    private const int PageShift = 12;
    private const string Restart = "needs a restart of tmemd";

    /// <summary>The differences.</summary>
    /// <param name="wanted">From the files.</param>
    /// <param name="status">Of the daemon.</param>
    /// <param name="mount">Its mount, as the mount table has it; null if it is not seen from here.</param>
    /// <param name="upgrade">Starts a worker with other settings; null when done, else the obstacle.</param>
    /// <param name="resize">Changes the capacity; as the other.</param>
    /// <param name="remount">Changes the flags of the mount; as the others.</param>
    public static IEnumerable<Change> Of(StoreSettings wanted, StatusReply status, MountEntry? mount,
        Func<UpgradeParameters, Obstacle?> upgrade, Func<long, Obstacle?> resize, Func<uint, Obstacle?> remount)
    {
        List<Change> changes = [.. AtReload(wanted, status, upgrade)];
        // What was changed by hand stays, unless something else is written.
        if (mount is { Flags: var flags } && wanted.MountOptions is { Value: var wish, From: var from } && from != Origin.Default
            && flags != wish)
            changes.Add(new(Outcome.Apply, Text("mount-options", MountFlags.Describe(flags), MountFlags.Describe(wish)), from,
                Do: () => remount(wish), Turn: (wish & MountFlags.ReadOnly) != 0 ? Turn.Last : Turn.GivesRoom));
        changes.AddRange(AtRestart(wanted, status, mount));
        // The kernel counts pages.
        if (wanted.Capacity.Value >> PageShift != status.Store.CapacityBytes >> PageShift)
            changes.Insert(0, new(Outcome.Apply, Text("capacity", ByteSize.Exact(status.Store.CapacityBytes),
                ByteSize.Exact(wanted.Capacity.Value)), wanted.Capacity.From, Do: () => resize(wanted.Capacity.Value),
                Turn: wanted.Capacity.Value > status.Store.CapacityBytes ? Turn.GivesRoom : Turn.TakesRoom));
        return changes;
    }

    private static IEnumerable<Change> AtReload(StoreSettings wanted, StatusReply status,
        Func<UpgradeParameters, Obstacle?> upgrade)
    {
        var wish = new UpgradeParameters();
        List<(string What, Origin From)> changes = [];
        void Note(string key, object now, object then, Origin from) => changes.Add((Text(key, now, then), from));

        if (wanted.Threads.Value != status.Threads)
        {
            wish = wish with { Threads = wanted.Threads.Value };
            Note("threads", status.Threads, wanted.Threads.Value, wanted.Threads.From);
        }
        var codec = CodecOf(status.Codec);
        if (wanted.Codec.Value != codec)
        {
            wish = wish with { Codec = wanted.Codec.Value };
            Note("codec", Word(codec), Word(wanted.Codec.Value), wanted.Codec.From);
        }
        if (status.Settings is { } now)
        {
            var spin = wanted.Spin.Value ?? ControlProtocol.UsualSpin;
            if (spin != now.Spin)
            {
                wish = wish with { Spin = spin };
                Note("spin", now.Spin, spin, wanted.Spin.From);
            }
            if (wanted.Log.Value != now.Log)
            {
                wish = wish with { Log = wanted.Log.Value };
                Note("log", Word(now.Log), Word(wanted.Log.Value), wanted.Log.From);
            }
        }
        Obstacle? Apply() => upgrade(wish);
        Func<Obstacle?> once = Apply;
        return changes.Select(change => new Change(Outcome.Apply, change.What, change.From, Do: once));
    }

    private static IEnumerable<Change> AtRestart(StoreSettings wanted, StatusReply status, MountEntry? mount)
    {
        // The daemon tells its mount with links resolved.
        if (Resolved(wanted.Mount.Value) != status.MountPoint)
            yield return Later("mount", status.MountPoint, wanted.Mount.Value, wanted.Mount.From);
        if (mount is { Source: var source } && wanted.MountSource.Value != source)
            yield return Later("mount-source", source, wanted.MountSource.Value, wanted.MountSource.From);
        var region = status.Region.StartsWith('/') ? status.Region : "";
        if (wanted.Region.Value != region)
            yield return Later("region", OrNone(region), OrNone(wanted.Region.Value), wanted.Region.From);
        if (wanted.Socket.Value != status.SocketPath)
            yield return Later("socket", status.SocketPath, wanted.Socket.Value, wanted.Socket.From);
        if (status.Settings is not { } now) yield break;
        if (wanted.SocketGroup.Value != now.SocketGroup)
            yield return Later("socket-group", OrNone(now.SocketGroup), OrNone(wanted.SocketGroup.Value),
                wanted.SocketGroup.From);
        if (region.Length > 0 && wanted.SyncInterval.Value != now.SyncInterval)
            yield return Later("sync-interval", now.SyncInterval, wanted.SyncInterval.Value, wanted.SyncInterval.From);
        if (now.Recompress is { } percent && wanted.Recompress.Value != percent)
            yield return Later("recompress", percent, wanted.Recompress.Value, wanted.Recompress.From);
        if (now.RecompressLevel is { } level && wanted.RecompressLevel.Value != level)
            yield return Later("recompress-level", level, wanted.RecompressLevel.Value, wanted.RecompressLevel.From);
        if (wanted.HugePages.Value != now.HugePages)
            yield return Later("huge-pages", Word(now.HugePages), Word(wanted.HugePages.Value), wanted.HugePages.From);
    }

    private static Change Later(string key, object now, object then, Origin from) =>
        new(Outcome.Later, Text(key, now, then), from, Restart);

    private static string Text(string key, object now, object then) => $"{key}: {now} to {then}";

    private static string OrNone(string path) => path.Length == 0 ? ByteSize.None : path;

    private static string OrNone(uint? group) => group is { } number ? $"{number}" : ByteSize.None;

    private static string Resolved(string path)
    {
        try
        {
            return new DirectoryInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName
                ?? Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        }
        catch (IOException)
        {
            return path;
        }
    }

    private static string Word(bool flag) => flag ? "true" : "false";

    private static string Word(LogWish level) => level.ToString().ToLowerInvariant();

    private static CodecWish CodecOf(string? name) =>
        Enum.GetValues<CodecWish>().FirstOrDefault(codec => Word(codec) == name, CodecWish.Pool);

    /// <summary>As it is written.</summary>
    public static string Word(CodecWish codec) => codec switch
    {
        CodecWish.Lz4 => "lz4",
        CodecWish.Lz4Reference => "lz4-reference",
        CodecWish.Zstd => "zstd",
        _ => "pool",
    };
}
