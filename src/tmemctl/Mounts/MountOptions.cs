using System.Globalization;
using System.Text;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Settings.Values;

namespace Tmem.Ctl.Mounts;

/// <summary>The options of <c>mount -t tmem</c>: one table, from which they are read and the manual is made.</summary>
internal static class MountOptions
{
    private const long Smallest = 1 << 20;
    private const int LongestSocket = ControlProtocol.LongestSocketPath;

    /// <summary>The table, in the order of the manual.</summary>
    public static IReadOnlyList<MountOption> All { get; } =
    [
        new("capacity", "SIZE",
            "Most real memory the store may take, its metadata included: 512M, 2GiB, a share of the machine's memory as in 25%, "
            + "or an expression of settings, as in \"min(ram / 2, 4G)\". Default: 25%.",
            (wish, value) =>
            {
                var problem = Capacity(value, out var bytes);
                wish.Capacity = bytes;
                return problem;
            }),
        new("region", "FILE",
            "File that keeps the store; made if missing, its directory is not. Default: none, and the store ends with the mount.",
            (wish, value) => Path(value, path => Give(wish, "--region", path))),
        new("sync-interval", "SECONDS",
            "How long a change waits at most before it is written to the region's file; 0 waits for an fsync. Default: 5.",
            (wish, value) => Number(wish, "--sync-interval", value, 0, ControlProtocol.MaximumSync)),
        new("drop-damaged", null,
            "Serve a damaged region's file without exactly what is damaged.",
            (wish, _) => Give(wish, "--drop-damaged")),
        new("huge-pages", null,
            "Hold full parts of a store without a file in pages of 2 MiB.",
            (wish, _) => Give(wish, "--huge-pages")),
        new("threads", "N", "Threads that serve requests. Default: 4.",
            (wish, value) => Number(wish, "--threads", value, 1, ControlProtocol.MaximumThreads)),
        new("spin", "MICROSECONDS",
            "How long a thread polls for the next request before it sleeps; 0 never polls. Default: 100, and 0 on a machine with "
            + "one processor.",
            (wish, value) => Number(wish, "--spin", value, 0, ControlProtocol.MaximumSpin)),
        new("codec", "CODEC",
            "What new pages are compressed with: lz4, lz4-reference, zstd, or pool for each pool's own. Default: pool.",
            (wish, value) => Word(wish, "--codec", value, "lz4", "lz4-reference", "zstd", "pool")),
        new("recompress", "PERCENT",
            "Percent of one processor to spend on storing pages smaller that nobody uses, for example 5. Default: 0, off.",
            (wish, value) => Number(wish, "--recompress", value, 0, 100)),
        new("recompress-level", "LEVEL", "Level of Zstandard for that, 1 to 19. Default: 6.",
            (wish, value) => Number(wish, "--recompress-level", value, 1, 19)),
        new("uid", "USER",
            "Owner of the root directory, by number or name: who owns it may make pools, and rename and remove those of others. "
            + "Default: root, or as it was left.",
            (wish, value) => (wish.Owner = Accounts.User(value)) is null ? NoAccount("user") : null),
        new("gid", "GROUP", "Group of the root directory, by number or name. Default: root, or as it was left.",
            (wish, value) => (wish.Group = Accounts.Group(value)) is null ? NoAccount("group") : null),
        new("mode", "MODE",
            "Mode of the root directory, octal; 1777 lets every user make pools of its own. Default: 755, or as it was left.",
            Mode),
        new("socket", "PATH",
            "The daemon's socket for tmemctl. Default: /run/tmem/mount-PLACE.sock; its '--mount DIR' finds it.",
            (wish, value) => Path(value, path => wish.Socket = path)
                ?? (Encoding.UTF8.GetByteCount(wish.Socket!) <= LongestSocket ? null
                    : $"is longer than the {LongestSocket} bytes that a socket's path can have")),
        new("log", "FILE",
            "File that the daemon's log is appended to. Default: the journal; without one, a file beside the socket.",
            (wish, value) => Path(value, path => wish.Log = path)),
        new("log-level", "LEVEL", "Least level of events to log: debug, info, warning or error. Default: info.",
            (wish, value) => Word(wish, "--log", value, "debug", "info", "warning", "error")),
        Flag("ro", "Mount for reading alone."),
        Flag("rw", "Mount for reading and writing. The default."),
        Flag("noexec", "No program on the mount can be executed."),
        Flag("exec", "Programs can be executed. The default."),
        Flag("nosuid", "Set-id bits and file capabilities have no effect."),
        Flag("suid", "They have. The default."),
        Flag("nodev", "Device files cannot be opened."),
        Flag("dev", "They can. The default."),
        Flag("nosymfollow", "Symbolic links are not followed."),
        Flag("symfollow", "They are. The default."),
        new("remount", null,
            "Change a mount that is there: its flags (ro, rw, noexec and the like), capacity, uid, gid and mode. Everything else "
            + "stays; what another option asks for in vain is told, with what changes it, and is a failure (32), although all "
            + "the rest is done.",
            (wish, _) => Set(() => wish.IsRemount = true)),
        new(["noatime", "nodiratime"], null, "Reading does not change a file's access time: always so.", Ignore),
        new(["atime", "relatime", "strictatime", "diratime", "lazytime"], null,
            "Nothing: access times are not kept, and the mount table says noatime.",
            (wish, _) => Set(() => wish.Notes.Add("access times are not kept: the mount is noatime"))),
        new(["defaults", "auto", "noauto", "nofail", "_netdev", "async", "nolazytime", "user", "nouser", "users", "owner",
            "group", "comment", "helper", "uhelper"], "[VALUE]",
            "Nothing: fstab's and mount(8)'s own. So are all that begin with x- or X-.", Ignore),
        new(["user_id", "group_id", "rootmode", "default_permissions", "allow_other", "max_read", "fd", "blksize"],
            "[VALUE]",
            "Nothing: the kernel shows them in the mount table, from which mount(8) takes them for a remount.",
            (wish, _) => Set(() => wish.HasKernelOptions = true)),
    ];

    /// <summary>All names.</summary>
    public static IEnumerable<string> Names => All.SelectMany(option => option.Names);

    /// <summary>Reads a list of options; null if one is wrong.</summary>
    /// <param name="list">Separated by commas; a value with a comma stands in double quotes.</param>
    /// <param name="isSloppy">Unknown options are ignored.</param>
    /// <param name="problem">What is wrong: a clause, and the remedy.</param>
    public static MountWish? Read(string list, bool isSloppy, out string problem)
    {
        var wish = new MountWish();
        problem = "";
        foreach (var word in Split(list))
        {
            var sign = word.IndexOf('=', StringComparison.Ordinal);
            var (name, value) = sign < 0 ? (word, null) : (word[..sign], Unquoted(word[(sign + 1)..]));
            if (name.Length == 0 && value is null || name.StartsWith("x-", StringComparison.OrdinalIgnoreCase)) continue;
            if (All.FirstOrDefault(option => option.Names.Contains(name)) is not { } option)
            {
                if (isSloppy) continue;
                problem = $"there is no option '{name}'" + (Nearest.Of(name, Names) is { } meant ? $"; did you mean {meant}?"
                    : "; see mount.tmem(8)");
                return null;
            }
            if (value is null && option.Argument is { } needed && needed[0] != '[') problem = $"{name} needs a value";
            else if (value is not null && option.Argument is null) problem = $"{name} takes no value, and '{value}' was given";
            else if (option.Apply(wish, value ?? "") is { } wrong) problem = $"{name}: '{value}' {wrong}";
            if (problem.Length > 0) return null;
        }
        if (!wish.HasKernelOptions || wish.IsRemount || isSloppy) return wish;
        problem = "user_id, allow_other and the like are the kernel's own, and cannot be asked for";
        return null;
    }

    private static MountOption Flag(string word, string description) => new(word, null, description, (wish, value) => Set(() =>
    {
        var flags = wish.Flags;
        _ = MountFlags.TryApply(word, ref flags);
        wish.Flags = flags;
    }));

    private static string? Ignore(MountWish wish, string value) => null;

    /// <summary>Any value is right.</summary>
    private static string? Set(Action set)
    {
        set();
        return null;
    }

    private static string? Give(MountWish wish, string option, string value = "") => Set(() => wish.Ask(option, value));

    private static string? Path(string value, Action<string> set) =>
        value.Length == 0 ? "is empty; give a path"
        : !System.IO.Path.IsPathFullyQualified(value)
            ? "does not begin with '/', and fstab does not know where it would be read from; give the whole path"
        : Set(() => set(System.IO.Path.GetFullPath(value)));

    private static string? Number(MountWish wish, string option, string value, int least, int most) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? Give(wish, option, value) : $"is not a whole number from {least} to {most}";

    private static string? Word(MountWish wish, string option, string value, params string[] known) => known.Contains(value)
        ? Give(wish, option, value) : $"is not known; give {string.Join(", ", known[..^1])} or {known[^1]}";

    private static string? Capacity(string value, out long bytes)
    {
        var ram = PhysicalMemory.Bytes;
        if (SizeExpression.Evaluate(value, new SizeScale(ram, ram), out bytes) is { } problem)
            return $"{problem}; write it as {SizeExpression.Examples}";
        if (bytes < Smallest) return $"is too small; the least is {ByteSize.Format(Smallest)}";
        return bytes <= ram ? null : $"is more than the {ByteSize.Format(ram)} of memory that this machine has; give less";
    }

    private static string? Mode(MountWish wish, string value)
    {
        const int most = 0xFFF; // 07777
        var mode = 0;
        foreach (var digit in value) mode = digit is >= '0' and <= '7' && mode <= most ? mode * 8 + (digit - '0') : most + 1;
        wish.Mode = (uint)mode;
        return value.Length > 0 && mode <= most ? null : "is not an octal number up to 7777";
    }

    private static string NoAccount(string kind) => $"is no {kind} of this machine; give one, or a number";

    private static IEnumerable<string> Split(string list)
    {
        var (start, isQuoted) = (0, false);
        for (var i = 0; i <= list.Length; i++)
        {
            if (i < list.Length && list[i] == '"') isQuoted = !isQuoted;
            if (i < list.Length && (list[i] != ',' || isQuoted)) continue;
            yield return list[start..i];
            start = i + 1;
        }
    }

    private static string Unquoted(string value) =>
        value.Length >= 2 && value[0] == '"' && value[^1] == '"' ? value[1..^1] : value;
}
