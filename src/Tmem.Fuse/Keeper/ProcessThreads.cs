using System.Globalization;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Keeper;

/// <summary>What /proc tells of a process's threads.</summary>
internal static class ProcessThreads
{
    /// <summary>Their numbers, of this process.</summary>
    public static IEnumerable<int> OfSelf() => Folders("self").Select(folder => int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture));

    /// <summary>
    /// Whether no thread of a process will ever do anything for it again: each has let go of its memory, and what is left of it is the kernel's own. Looked at
    /// twice: one may have begun another behind the first look, and none that has ended begins one. False if it cannot be told.
    /// </summary>
    public static bool AllEnd(int process)
    {
        try
        {
            var name = process.ToString(CultureInfo.InvariantCulture);
            return Folders(name).All(HasEnded) && Folders(name).All(HasEnded);
        }
        catch (DirectoryNotFoundException)
        {
            // Unless nothing is to be seen there at all.
            return Directory.Exists("/proc/self/task");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>
    /// The link to its program is the one thing that shows it without a hold on the process's memory: who holds that when the last thread lets go has to take
    /// it apart, which is what nobody should wait for. (A reader of stat or status does.)
    /// </summary>
    private static bool HasEnded(string folder) => Libc.ReadLink(folder + "/exe") is null && Libc.LastError is Errno.ENOENT or Errno.ESRCH;

    private static string[] Folders(string process) => Directory.GetDirectories($"/proc/{process}/task");
}
