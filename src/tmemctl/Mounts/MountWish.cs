using Tmem.Control.Host;

namespace Tmem.Ctl.Mounts;

/// <summary>What a list of options asks for.</summary>
internal sealed class MountWish
{
    private readonly List<(string Option, string Value)> _daemon = [];

    /// <summary>
    /// The kernel's. mount(8) does not pass suid, dev and exec on, because they are what a mount has if nothing else is said.
    /// </summary>
    public uint Flags { get; set; } = MountFlags.NoAccessTimes;

    /// <summary>Change the flags of a mount that is there.</summary>
    public bool IsRemount { get; set; }

    /// <summary>In bytes; null for the default.</summary>
    public long? Capacity { get; set; }

    /// <summary>Options of tmemd, each once, with their values; "" for one that has none.</summary>
    public IReadOnlyList<(string Option, string Value)> DaemonOptions => _daemon;

    /// <summary>The same as words of a command line.</summary>
    public IEnumerable<string> Daemon =>
        _daemon.SelectMany(one => (string[])(one.Value.Length == 0 ? [one.Option] : [one.Option, one.Value]));

    /// <summary>
    /// Asks the daemon for something: the last word on it counts. mount(8) puts what its user types behind the line of fstab.
    /// </summary>
    public void Ask(string option, string value = "")
    {
        _daemon.RemoveAll(one => one.Option == option);
        _daemon.Add((option, value));
    }

    /// <summary>The daemon's socket; null for the one that belongs to the directory.</summary>
    public string? Socket { get; set; }

    /// <summary>The file for the log; null for the journal.</summary>
    public string? Log { get; set; }

    /// <summary>The owner of the root directory; null to leave it.</summary>
    public uint? Owner { get; set; }

    /// <summary>The group of the root directory; null to leave it.</summary>
    public uint? Group { get; set; }

    /// <summary>The mode of the root directory; null to leave it.</summary>
    public uint? Mode { get; set; }

    /// <summary>Whether it says anything of the root directory.</summary>
    public bool SetsRoot => Owner is not null || Group is not null || Mode is not null;

    /// <summary>Whether it says anything that only the daemon knows or changes.</summary>
    public bool AsksDaemon => Capacity is not null || _daemon.Count > 0 || Socket is not null || Log is not null;

    /// <summary>What is done otherwise than was asked for, in lines.</summary>
    public SortedSet<string> Notes { get; } = new(StringComparer.Ordinal);

    /// <summary>Options that only the kernel's mount table has, and so only a remount.</summary>
    public bool HasKernelOptions { get; set; }
}
