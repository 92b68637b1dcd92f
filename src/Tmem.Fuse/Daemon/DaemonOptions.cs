using Tmem.Control.Messages;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Mount;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>The options of the command line, checked.</summary>
internal sealed record DaemonOptions
{
    /// <summary>Where to mount.</summary>
    public required string MountPoint { get; init; }

    /// <summary>The kernel's flags of the mount, of <see cref="Tmem.Control.Host.MountFlags"/>.</summary>
    public uint MountFlags { get; init; } = Tmem.Control.Host.MountFlags.Usual;

    /// <summary>The first column of the mount table.</summary>
    public string MountSource { get; init; } = Tmem.Control.Host.MountFlags.UsualSource;

    /// <summary>Most real memory the store may take, in bytes.</summary>
    public required long CapacityBytes { get; init; }

    /// <summary>The region's file; null for a memfd.</summary>
    public string? RegionPath { get; init; }

    /// <summary>The longest time until a change is made durable in the region's file; zero waits for an fsync.</summary>
    public TimeSpan SyncInterval { get; init; } = TimeSpan.FromSeconds(DefaultSyncSeconds);

    /// <summary>The management API's socket.</summary>
    public string SocketPath { get; init; } = DefaultSocketPath;

    /// <summary>The group whose members may ask for figures over it; null for none.</summary>
    public uint? SocketGroup { get; init; }

    /// <summary>Session threads.</summary>
    public int Threads { get; init; } = DefaultThreads;

    /// <summary>How long the leading session thread polls before it sleeps.</summary>
    public TimeSpan Spin { get; init; } = TimeSpan.FromMicroseconds(DefaultSpinMicroseconds);

    /// <summary>Hold full spans of the store in pages of 2 MiB.</summary>
    public bool HugePages { get; init; }

    /// <summary>How pages that nobody uses are stored smaller.</summary>
    public RecompressionWish Recompression { get; init; } = RecompressionWish.Of(0);

    /// <summary>Open a damaged region, dropping the damaged parts.</summary>
    public bool DropDamaged { get; init; }

    /// <summary>The codec of new pages.</summary>
    public CodecWish Codec { get; init; }

    /// <summary>The files of settings that were read, in words; empty for none.</summary>
    public string SettingsFiles { get; init; } = "";

    /// <summary>Events below it are not logged.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Info;

    /// <summary>The log goes to standard output, and its lines to standard error too as long as somebody reads that.</summary>
    public bool LogsToOutput { get; init; }

    /// <summary>The log's file goes when the daemon has ended in order.</summary>
    public bool RemovesLog { get; init; }

    public const string DefaultSocketPath = ControlProtocol.DefaultSocket;
    public const int DefaultSyncSeconds = 5;
    public const int MaximumSyncSeconds = ControlProtocol.MaximumSync;
    public const int DefaultThreads = 4;
    public const int MaximumThreads = ControlProtocol.MaximumThreads;

    public static int DefaultSpinMicroseconds => ControlProtocol.UsualSpin;

    public const int MaximumSpinMicroseconds = ControlProtocol.MaximumSpin;
}
