using System.Globalization;

namespace Tmem.Fuse.Native;

/// <summary>What /proc tells of a process's threads.</summary>
internal static class ProcessThreads
{
    /// <summary>Their numbers, of this process.</summary>
    public static IEnumerable<int> OfSelf() =>
        Folders("self").Select(folder => int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture));

    /// <summary>
    /// Whether no thread of a process will ever do anything for it again: each has let go of its memory, and what is left of it
    /// is the kernel's own. Looked at twice: one may have begun another behind the first look, and none that has ended begins
    /// one. False if it cannot be told.
    /// <para>
    /// One thread may be stuck in the kernel, in a call that ends only when a successor serves: in the hands of the kernel
    /// without a way out (state D), with a death that has ended all others before it, it never comes back to its program.
    /// </para>
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="mayBeStuck">That thread's number; 0 for none.</param>
    public static bool AllEnd(int process, int mayBeStuck = 0)
    {
        try
        {
            var name = process.ToString(CultureInfo.InvariantCulture);
            var stuck = $"/proc/{name}/task/{mayBeStuck.ToString(CultureInfo.InvariantCulture)}";
            return Folders(name).All(Ends) && Folders(name).All(Ends);

            bool Ends(string folder) => HasEnded(folder) || (folder == stuck && IsStuck(folder));
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
    /// The link to its program is the one thing that shows it without a hold on the process's memory: who holds that when the
    /// last thread lets go has to take it apart, which is what nobody should wait for. (A reader of stat or status does.)
    /// </summary>
    private static bool HasEnded(string folder) => Libc.ReadLink(folder + "/exe") is null
        && Libc.LastError is Errno.ENOENT or Errno.ESRCH;

    /// <summary>
    /// Its state, behind its name in parentheses. It holds the process's memory itself, so this look holds up nobody.
    /// </summary>
    private static bool IsStuck(string folder)
    {
        var line = File.ReadAllText(folder + "/stat");
        return line.AsSpan(line.LastIndexOf(')') + 1).TrimStart().StartsWith("D");
    }

    private static string[] Folders(string process) => Directory.GetDirectories($"/proc/{process}/task");
}
