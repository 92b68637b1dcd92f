using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Settings;
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
    /// <summary>Of the daemon that gave this status; null if its processes cannot be seen from here.</summary>
    public static DaemonCommandLine? Of(StatusReply status)
    {
        var process = $"/proc/{(status.Processes.KeeperPid is not 0 and var keeper ? keeper : status.Processes.WorkerPid)}";
        try
        {
            var words = File.ReadAllText($"{process}/cmdline").TrimEnd('\0').Split('\0');
            // A reader who may not look into the process knows no better than the root directory.
            var directory = new DirectoryInfo($"{process}/cwd").ResolveLinkTarget(returnFinalTarget: false)?.FullName ?? "/";
            return new(OptionEntries.PlaceOf(words, directory), OptionEntries.Read(words, directory));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
