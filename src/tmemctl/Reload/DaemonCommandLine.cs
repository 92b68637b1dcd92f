using Tmem.Control;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Settings;
using Tmem.Settings.Files;
using Tmem.Settings.Values;

namespace Tmem.Ctl.Reload;

/// <summary>
/// How a daemon was started, as the kernel tells it: which files it reads, and what its options say in their place. It is asked
/// for nothing of this, because every byte that it keeps is locked memory. Keeper and workers have the same command line.
/// </summary>
/// <param name="Place">Where its settings are: null for the system's place (SettingsPlace).</param>
/// <param name="Options">What its options say.</param>
internal sealed record DaemonCommandLine(string? Place, IReadOnlyList<Entry> Options)
{
    /// <summary>
    /// What is meant where files of settings are asked for: of the daemon on the socket, or without one what a daemon without
    /// options would read. One way for all who ask, so that what is checked is what is shown and applied.
    /// </summary>
    /// <param name="status">Of that daemon; null if there is none.</param>
    /// <param name="place">Other files than its own; null for these.</param>
    public static DaemonCommandLine Meant(StatusReply? status, string? place)
    {
        var line = (status is null ? null : Of(status)) ?? new(null, []);
        return place is null ? line : line with { Place = place };
    }

    /// <summary>Whether its command line says everything, and no file is read.</summary>
    public bool ReadsNoFile => Place == SettingsPlace.None;

    /// <summary>Reads the files, with the options in their place.</summary>
    public SettingsRead Read() => SettingsReader.Read(Place, Options, SettingsSource.Ram);

    /// <summary>Of the daemon that gave this status; null if its processes cannot be seen from here.</summary>
    public static DaemonCommandLine? Of(StatusReply status)
    {
        var number = status.Processes.KeeperPid is not 0 and var keeper ? keeper : status.Processes.WorkerPid;
        // In another namespace of processes the number may be anybody's.
        var seen = ProcessSearch.At<(string[] Words, string Directory)>(number, (process, add) =>
        {
            var words = File.ReadAllText($"{process}/cmdline").TrimEnd('\0').Split('\0');
            // A reader who may not look into the process knows no better than the root directory.
            add((words, new DirectoryInfo($"{process}/cwd").ResolveLinkTarget(returnFinalTarget: false)?.FullName ?? "/"));
        }).Found;
        return seen is [var (words, directory)]
            ? new(OptionEntries.PlaceOf(words, directory), OptionEntries.Read(words, directory)) : null;
    }
}
