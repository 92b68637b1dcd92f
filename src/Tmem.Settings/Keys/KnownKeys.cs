using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Settings.Values;

namespace Tmem.Settings.Keys;

/// <summary>
/// All keys, in the order of the default file and of the manual. The words stand here alone: a test holds
/// <c>tmem.toml</c> and docs/settings.md to them.
/// </summary>
internal static class KnownKeys
{
    public const string Store = "store";
    public const string Swap = "swap";
    public const string Pool = "pool";

    private const int LongestPath = 4095;
    private const int HighestPriority = 32767;

    private static readonly PoolForm s_pool = new();
    private static readonly WordForm s_codecs = new("pool", "lz4", "lz4-reference", "zstd");

    public static IReadOnlyList<SettingKey> All { get; } =
    [
        new(Store, "mount", new PathForm(LongestPath), "\"/mnt/tmem\"", "\"/srv/fast\"", Effect.Restart,
            "Directory to mount the file system on, made if it is missing.", "--mount"),
        new(Store, "mount-options", new MountFlagsForm(), $"\"{MountFlags.Describe(MountFlags.Usual)}\"", "\"ro,noexec\"",
            Effect.Reload, "Flags of the mount. A reload changes them if they are written, as 'mount -o remount' does.",
            "--mount-options"),
        new(Store, "mount-source", new MountSourceForm(), $"\"{MountFlags.UsualSource}\"", "\"none\"", Effect.Restart,
            "First column of the mount table.", "--mount-source"),
        new(Store, "capacity", new SizeForm("the machine's memory"), "\"25%\"", "\"min(ram / 2, 16G)\"", Effect.Reload,
            "Most real memory that the store may take, its metadata included; at least 1M. A reload makes it at most four times "
            + "what it was at the start.", "--capacity"),
        new(Store, "region", new PathForm(LongestPath, Optional: true), "\"\"", "\"/var/lib/tmem/region\"", Effect.Restart,
            "File that keeps the store across restarts and power cuts. It is made if it is missing, its directory is not. "
            + "Without one, the store ends with the daemon.", "--region"),
        new(Store, "sync-interval", new NumberForm(0, ControlProtocol.MaximumSync), "5", "30", Effect.Restart,
            "Seconds that a change waits at most before it is written to the region's file, which is what a power cut loses; 0 "
            + "waits for an fsync. Without a region's file it means nothing.", "--sync-interval"),
        new(Store, "huge-pages", new FlagForm(), "false", "true", Effect.Restart,
            "Hold full parts of a store without a file in pages of 2 MiB: a large store is read faster, but requests for a part "
            + "wait while its page is made. Linux 6.1.", "--huge-pages"),
        new(Store, "threads", new NumberForm(1, ControlProtocol.MaximumThreads), "4", "8", Effect.Reload,
            "Threads that serve requests.", "--threads"),
        new(Store, "spin", new NumberForm(0, ControlProtocol.MaximumSpin, "auto"), "\"auto\"", "0", Effect.Reload,
            "Microseconds that a thread polls for the next request before it sleeps: a shorter wait for a little processor time. "
            + "0 never polls; auto is 100, and 0 on a machine with one processor.", "--spin"),
        new(Store, "codec", s_codecs, "\"pool\"", "\"zstd\"", Effect.Reload,
            "What new pages of all pools are compressed with; pool leaves each pool its own codec.", "--codec"),
        new(Store, "recompress", new NumberForm(0, 100), "0", "5", Effect.Restart,
            "Percent of one processor to spend on storing pages smaller that nobody uses; less while programs wait for "
            + "processors, more while the store is nearly full; 0 is off. Older versions refuse a store for which it was on.",
            "--recompress"),
        new(Store, "recompress-level", new NumberForm(1, 19), "6", "3", Effect.Restart,
            "Level of Zstandard for that: higher is smaller and takes longer.", "--recompress-level"),
        new(Store, "log", new WordForm("debug", "info", "warning", "error"), "\"info\"", "\"warning\"", Effect.Reload,
            "Least level of events to log.", "--log"),
        new(Store, "socket", new PathForm(ControlProtocol.LongestSocketPath), $"\"{ControlProtocol.DefaultSocket}\"",
            "\"/run/tmem/second.sock\"", Effect.Restart, "Unix socket for tmemctl.", "--socket"),
        new(Store, "socket-group", new AccountForm("group", Accounts.Group, Optional: true), "\"\"", "\"adm\"", Effect.Restart,
            "Group whose members may ask for figures over the socket. Only root may change anything.", "--socket-group"),

        new(Swap, "on", new FlagForm(), "false", "true", Effect.Reload,
            "Turn swap on when the daemon is started, or at a reload. A reload never turns it off: 'swap off' does."),
        new(Swap, "size", new SizeForm("the store's capacity", "auto"), "\"auto\"", "\"min(200%, ram)\"", Effect.SwapOn,
            "Size of the swap device; auto is what the store holds even if no page shrinks."),
        new(Swap, "priority", new NumberForm(0, HighestPriority), "100", "10", Effect.SwapOn,
            "Swap priority; a device with a higher one is used first. Of its parts, up to eight, each takes one less."),
        new(Swap, "pool", s_pool, "\"swap\"", "\"machine\"", Effect.SwapOn,
            "The persistent pool for the swap file, made if it does not exist. One that exists must be root's, with mode 0700. "
            + "It is the device's name: several are written as [[swap]], each with its pool; in several files, those of one "
            + "pool are one device."),

        new(Pool, "name", s_pool, "\"\"", "\"scratch\"", Effect.Making,
            "The pool: a directory of this name in the mount. Every [[pool]] needs one; in several files, those of one "
            + "name are one pool."),
        new(Pool, "kind", new WordForm("persistent", "ephemeral"), "\"persistent\"", "\"ephemeral\"", Effect.Making,
            "Whether pages stay until they are removed, or may vanish when room is needed; reads then fail with ENODATA."),
        new(Pool, "limit", new SizeForm("the store's capacity", ByteSize.None), "\"none\"", "\"50%\"", Effect.Reload,
            "Most memory that the pool's pages may take; at least 64K."),
        new(Pool, "reserve", new SizeForm("the store's capacity", ByteSize.None), "\"none\"", "\"256M\"", Effect.Reload,
            "Memory that a persistent pool is guaranteed: what others store leaves it that room."),
        new(Pool, "codec", new WordForm("lz4", "lz4-reference", "zstd"), "\"lz4\"", "\"zstd\"", Effect.Reload,
            "What its new pages are compressed with."),
        new(Pool, "page-size", new SizeForm("the store's capacity"), "\"4K\"", "\"4K\"", Effect.Making,
            "Bytes of a page. A pool of files has the kernel's own, and any other than 4K is refused."),
        new(Pool, "owner", new AccountForm("user", Accounts.User), "\"root\"", "\"backup\"", Effect.Reload,
            "Owner of the pool's directory."),
        new(Pool, "group", new AccountForm("group", Accounts.Group), "\"root\"", "\"backup\"", Effect.Reload,
            "Group of the pool's directory."),
        new(Pool, "mode", new ModeForm(), "\"0755\"", "\"0700\"", Effect.Reload,
            "Mode of the pool's directory."),
    ];

    /// <summary>The keys of a section.</summary>
    public static IEnumerable<SettingKey> Of(string section) => All.Where(key => key.Section == section);

    /// <summary>The key that names a section of which there can be many; null if there is one of it.</summary>
    public static string? NameOf(string section) => section switch { Pool => "name", Swap => "pool", _ => null };

    /// <summary>The key of a name; null if there is none.</summary>
    public static SettingKey? Find(string section, string name) => All.FirstOrDefault(key => key.Section == section
        && key.Name == name);

    public static IReadOnlyList<string> Sections { get; } = [Store, Swap, Pool];
}
