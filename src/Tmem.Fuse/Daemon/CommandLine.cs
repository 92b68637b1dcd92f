using System.CommandLine;
using System.CommandLine.Parsing;
using Tmem.Control.CommandLine;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>The command line of tmemd.</summary>
internal static class CommandLine
{
    /// <summary>Builds the command; <paramref name="run"/> gets the checked options and returns the exit code.</summary>
    public static RootCommand Create(Func<DaemonOptions, int> run) => Create(run, PhysicalMemory.Bytes,
        (file, streams) => RegionCheck.Run(file, streams.Output, streams.Error), SettingsHandOver.Run);

    /// <summary>
    /// The same on a machine of the given memory; <paramref name="checkRegion"/> gets the file to be looked at and the standard
    /// streams, and returns the exit code. <paramref name="readSettings"/> starts the program anew with options from files, or
    /// returns why it cannot.
    /// </summary>
    public static RootCommand Create(Func<DaemonOptions, int> run, long physicalMemory,
        Func<string, InvocationConfiguration, int> checkRegion, Func<string> readSettings)
    {
        var config = new Option<string?>(DaemonStart.Config)
        {
            Description =
                "File of settings, or directory of tmem.toml and tmem.d, to read instead of the system's; none reads no file. "
                + "Files are read if this is given, or unless both --mount and --capacity are; options win over them. "
                + "Example: --config /etc/tmem/second.toml",
            HelpName = "PATH",
        };
        var from = new Option<string?>(DaemonStart.SettingsFrom) { Hidden = true };
        var mount = new Option<string>("--mount")
        {
            Description =
                "Directory to mount the file system on; needed if no file of settings is there. Example: --mount /mnt/tmem",
            HelpName = "DIR",
        };
        var capacity = new Option<long>("--capacity")
        {
            Description =
                "Most real memory the store may take, its metadata included; needed if no file of settings is there. "
                + "Example: --capacity 512M, --capacity 2GiB",
            HelpName = "SIZE",
            CustomParser = result => ParseCapacity(result, physicalMemory),
        };
        var flags = new Option<uint?>("--mount-options")
        {
            Description =
                "Flags of the mount, separated by commas: " + string.Join(", ", MountFlags.Words)
                + ". Example: --mount-options ro,noexec [default: " + MountFlags.Describe(MountFlags.Usual) + "]",
            HelpName = "LIST",
            CustomParser = ParseFlags,
        };
        var source = new Option<string>("--mount-source")
        {
            Description = "First column of the mount table. Example: --mount-source none",
            HelpName = "NAME",
            DefaultValueFactory = _ => MountFlags.UsualSource,
        };
        var toOutput = new Option<bool>("--log-to-output") { Hidden = true };
        var removesLog = new Option<bool>("--remove-log") { Hidden = true };
        var region = new Option<string?>("--region")
        {
            Description =
                "File that keeps the store across restarts and power cuts; made if missing (its directory is not), read if it "
                + "holds one. Without it the store ends with the daemon. Example: --region /var/lib/tmem/region",
            HelpName = "FILE",
        };
        var socket = new Option<string>("--socket")
        {
            Description = "Unix socket for tmemctl. Example: --socket /run/tmem/second.sock",
            HelpName = "PATH",
            DefaultValueFactory = _ => DaemonOptions.DefaultSocketPath,
        };
        var group = new Option<uint?>("--socket-group")
        {
            Description =
                "Group whose members may ask for figures over the socket, by name or number; only root may change anything. "
                + "Example: --socket-group adm",
            HelpName = "GROUP",
            CustomParser = ParseGroup,
        };
        var threads = Number("--threads", "Threads that serve requests. Example: --threads 8", DaemonOptions.DefaultThreads, 1,
            DaemonOptions.MaximumThreads);
        var spin = Number("--spin",
            "Microseconds a thread polls for the next request before it sleeps: a shorter wait for a little processor time; 0 "
            + "never polls. Example: --spin 0",
            DaemonOptions.DefaultSpinMicroseconds, 0, DaemonOptions.MaximumSpinMicroseconds);
        var sync = Number("--sync-interval",
            "Seconds that a change waits at most before it is written to the region's file, which is what a power cut loses; 0 "
            + "waits for an fsync. Example: --sync-interval 30",
            DaemonOptions.DefaultSyncSeconds, 0, DaemonOptions.MaximumSyncSeconds);
        var recompress = Number("--recompress",
            "Percent of one processor to spend on storing pages smaller that nobody uses: a third less memory for them, and a "
            + "read of one takes 6 us more. Less while programs wait for processors, more while the store is nearly full; 0 "
            + "is off. Older versions of tmemd refuse a store for which it was on. Example: --recompress 5",
            RecompressionWish.UsualPercent, 0, 100);
        var level = Number("--recompress-level",
            "Level of Zstandard for that, 1 to 19: higher is smaller and takes longer. Example: --recompress-level 3",
            RecompressionWish.UsualLevel, 1, 19);
        var huge = new Option<bool>("--huge-pages")
        {
            Description =
                "Hold full parts of a store without a file in pages of 2 MiB: a large store is read faster and taken over "
                + "sooner when the daemon is replaced, "
                + "but while one is made (some milliseconds, a few a second while the store grows) requests for that part wait. "
                + "Linux 6.1. Example: --huge-pages",
        };
        var drop = new Option<bool>("--drop-damaged")
        {
            Description =
                "If the region's file is damaged, serve it without exactly what is damaged, which then reads as zeros, and log "
                + "what that was. Look first, with --check-region, and keep a copy. Example: --drop-damaged",
        };
        var check = new Option<string?>("--check-region")
        {
            Description =
                "Read a region's file that no daemon has open, say whether it is sound and what is damaged, and end: 0 if it is "
                + "sound, 1 if not. Nothing "
                + "is mounted, and nothing is written to the file; "
                + "it takes as much memory as the store. Example: --check-region /var/lib/tmem/region",
            HelpName = "FILE",
        };
        var log = new Option<LogLevel?>("--log")
        {
            Description =
                "Least level of events to write to standard error: debug, info, warning or error. Example: --log warning "
                // As the library shows a default; it would show an enumeration's value by its C# name.
                + "[default: info]",
            HelpName = "LEVEL",
            CustomParser = result => UsageValues.OneOf(result, "--log", ("debug", LogLevel.Debug), ("info", LogLevel.Info),
                ("warning", LogLevel.Warning), ("error", LogLevel.Error)),
        };

        var codec = new Option<CodecWish?>("--codec")
        {
            Description =
                "What new pages are compressed with: lz4, lz4-reference, zstd, or pool for each pool's own codec. "
                + "Example: --codec zstd [default: pool]",
            HelpName = "CODEC",
            CustomParser = result => UsageValues.OneOf(result, "--codec", ("lz4", CodecWish.Lz4),
                ("lz4-reference", CodecWish.Lz4Reference), ("zstd", CodecWish.Zstd), ("pool", CodecWish.Pool)),
        };

        config.AcceptPaths(LongestPath, optional: true);
        mount.AcceptPaths();
        region.AcceptPaths(LongestPath, optional: true);
        check.AcceptPaths(LongestPath, optional: true);
        socket.AcceptPaths(ControlProtocol.LongestSocketPath);

        var root = new RootCommand(
            "tmemd keeps compressed pages in memory and serves them as a file system that a machine can swap to.\n"
            + "Exit codes: 0 ended in order; 1 could not start, or the connection broke; 2 wrong usage.")
        {
            config, mount, flags, source, capacity, region, sync, socket, group, threads, spin, codec, recompress, level, huge,
            drop, check, log, from, toOutput, removesLog,
        };
        root.Validators.Add(result =>
        {
            if (IsGiven(result, check))
            {
                foreach (var other in (ReadOnlySpan<Option>)[config, mount, flags, source, capacity, region, sync, socket,
                    group, threads, spin, codec, recompress, level, huge, drop])
                    if (IsGiven(result, other)) result.AddError($"--check-region only looks at a file: leave {other.Name} out");
                return;
            }
            if (ReadsFiles(result)) return;
            if (!IsGiven(result, mount)) result.AddError("--mount is missing; give a directory");
            if (!IsGiven(result, capacity)) result.AddError($"--capacity is missing; write it as {ByteSize.Examples}");
            if (IsGiven(result, region))
            {
                if (IsGiven(result, huge))
                    result.AddError("--huge-pages is for a store without a file: leave it or --region out");
                return;
            }
            if (IsGiven(result, sync))
                result.AddError("--sync-interval is about the region's file: name one with --region, or leave it out");
            if (IsGiven(result, drop))
                result.AddError("--drop-damaged is about the region's file: name one with --region, or leave it out");
        });
        root.SetAction(parsed => parsed.GetValue(check) is { } file ? checkRegion(file, parsed.InvocationConfiguration)
            : ReadsFiles(parsed.CommandResult) ? Usage.Refuse(parsed.InvocationConfiguration.Error, "tmemd", readSettings())
            : run(new DaemonOptions
        {
            MountPoint = parsed.GetRequiredValue(mount),
            MountFlags = parsed.GetValue(flags) ?? MountFlags.Usual,
            MountSource = parsed.GetRequiredValue(source),
            LogsToOutput = parsed.GetValue(toOutput),
            RemovesLog = parsed.GetValue(removesLog),
            CapacityBytes = parsed.GetRequiredValue(capacity),
            RegionPath = parsed.GetValue(region),
            SyncInterval = TimeSpan.FromSeconds(parsed.GetValue(sync)),
            SocketPath = parsed.GetRequiredValue(socket),
            SocketGroup = parsed.GetValue(group),
            Threads = parsed.GetValue(threads),
            Spin = TimeSpan.FromMicroseconds(parsed.GetValue(spin)),
            Codec = parsed.GetValue(codec) ?? CodecWish.Pool,
            Recompression = new RecompressionWish(parsed.GetValue(recompress), parsed.GetValue(level)),
            HugePages = parsed.GetValue(huge),
            DropDamaged = parsed.GetValue(drop),
            LogLevel = parsed.GetValue(log) ?? LogLevel.Info,
            SettingsFiles = parsed.GetValue(from) is { } files and not DaemonStart.NoFile ? files : "",
        }));
        return root;

        bool ReadsFiles(CommandResult result) => !IsGiven(result, from) && result.GetValue(config) switch
        {
            null => !IsGiven(result, mount) || !IsGiven(result, capacity),
            var place => place != DaemonStart.NoFile,
        };
    }

    private const int LongestPath = 4095;

    private static bool IsGiven(CommandResult result, Option option) => result.GetResult(option) is { Implicit: false };

    private static Option<int> Number(string name, string description, int usual, int least, int most) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => usual,
        CustomParser = result => UsageValues.Number(result, name, least, most) ?? usual,
    };

    private static uint? ParseFlags(ArgumentResult result)
    {
        var flags = MountFlags.Usual;
        foreach (var word in UsageValues.Text(result).Split(','))
        {
            if (MountFlags.TryApply(word, ref flags)) continue;
            result.AddError($"--mount-options: '{word}' is not known; give some of {string.Join(", ", MountFlags.Words)}");
            return null;
        }
        return flags;
    }

    private static uint? ParseGroup(ArgumentResult result)
    {
        var name = UsageValues.Text(result);
        var group = Accounts.Group(name);
        if (group is null)
            result.AddError($"--socket-group: there is no group '{name}' on this machine; make it first: groupadd --system "
                + ShellWord.Of(name));
        return group;
    }

    private static long ParseCapacity(ArgumentResult result, long physicalMemory)
    {
        // Which of two limits it is above makes no difference.
        var isTooLarge = ByteSize.IsTooLarge(UsageValues.Text(result));
        var bytes = isTooLarge ? long.MaxValue : UsageValues.Size(result, "--capacity", EngineOptions.MinimumCapacity) ?? 0;
        if (bytes > physicalMemory)
            result.AddError($"--capacity: '{UsageValues.Text(result)}' is more than the {ByteSize.Format(physicalMemory)} of "
                + $"memory that this machine has; give less (a quarter of it, {physicalMemory / 4 >> 20}M, is a good start)");
        return bytes;
    }
}
