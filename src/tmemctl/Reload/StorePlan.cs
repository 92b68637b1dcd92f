using Tmem.Control.Messages;
using Tmem.Settings;

namespace Tmem.Ctl.Reload;

/// <summary>
/// [store] against what runs. What a worker is told when it starts is applied by starting another in its place; the rest belongs
/// to the mount, which a restart makes anew. A verb that changes one of these while the store is in use turns its line of
/// <see cref="AtRestart"/> into one of <see cref="AtReload"/>.
/// </summary>
internal static class StorePlan
{
    private const int PageShift = 12;
    private const string Restart = "needs a restart of tmemd";

    /// <summary>The differences.</summary>
    /// <param name="wanted">From the files.</param>
    /// <param name="status">Of the daemon.</param>
    /// <param name="upgrade">Starts a worker with other settings.</param>
    public static IEnumerable<Change> Of(StoreSettings wanted, StatusReply status, Func<UpgradeParameters, string?> upgrade) =>
        [.. AtReload(wanted, status, upgrade), .. AtRestart(wanted, status)];

    private static IEnumerable<Change> AtReload(StoreSettings wanted, StatusReply status,
        Func<UpgradeParameters, string?> upgrade)
    {
        var wish = new UpgradeParameters();
        List<(string What, Origin From)> changes = [];
        void Note(string key, object now, object then, Origin from) => changes.Add(($"{key}: {now} to {then}", from));

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
        string? Apply() => upgrade(wish);
        Func<string?> once = Apply;
        return changes.Select(change => new Change(Outcome.Apply, change.What, change.From, Do: once));
    }

    private static IEnumerable<Change> AtRestart(StoreSettings wanted, StatusReply status)
    {
        // The daemon tells its mount with links resolved.
        if (Resolved(wanted.Mount.Value) != status.MountPoint)
            yield return Later("mount", status.MountPoint, wanted.Mount.Value, wanted.Mount.From);
        if (wanted.Capacity.Value >> PageShift != status.Store.CapacityBytes >> PageShift)
            yield return Later("capacity", ByteSize.Exact(status.Store.CapacityBytes), ByteSize.Exact(wanted.Capacity.Value),
                wanted.Capacity.From);
        var region = status.Region.StartsWith('/') ? status.Region : "";
        if (wanted.Region.Value != region)
            yield return Later("region", OrNone(region), OrNone(wanted.Region.Value), wanted.Region.From);
        if (wanted.Socket.Value != status.SocketPath)
            yield return Later("socket", status.SocketPath, wanted.Socket.Value, wanted.Socket.From);
        if (status.Settings is not { } now) yield break;
        if (region.Length > 0 && wanted.SyncInterval.Value != now.SyncInterval)
            yield return Later("sync-interval", now.SyncInterval, wanted.SyncInterval.Value, wanted.SyncInterval.From);
        if (wanted.HugePages.Value != now.HugePages)
            yield return Later("huge-pages", Word(now.HugePages), Word(wanted.HugePages.Value), wanted.HugePages.From);
    }

    private static Change Later(string key, object now, object then, Origin from) =>
        new(Outcome.Later, $"{key}: {now} to {then}", from, Restart);

    private static string OrNone(string path) => path.Length == 0 ? ByteSize.None : path;

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
