using System.Globalization;

namespace Tmem.Fuse.Native;

/// <summary>The threads of a process, as /proc shows them.</summary>
internal static class ProcessThreads
{
    /// <summary>The numbers of this process's threads.</summary>
    public static IEnumerable<int> OfSelf() =>
        Folders("self").Select(folder => int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture));

    /// <summary>
    /// Whether no thread of a process will ever run its code again: each has released the process's memory, and only kernel work
    /// is left. Checks twice: a thread may have started another behind the first look, and an ended one starts none. False if
    /// unknown.
    /// <para>
    /// A thread may be stuck in the kernel, in a call that ends only when a successor serves: if it sleeps uninterruptibly (state
    /// D), and the death has ended all other threads before it, it never returns to its program.
    /// </para>
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="mayBeStuck">The numbers of such threads; 0 for none.</param>
    public static bool AllEnd(int process, params int[] mayBeStuck)
    {
        try
        {
            var name = process.ToString(CultureInfo.InvariantCulture);
            var stuck = mayBeStuck.Select(one => $"/proc/{name}/task/{one.ToString(CultureInfo.InvariantCulture)}").ToList();
            return Folders(name).All(Ends) && Folders(name).All(Ends);

            bool Ends(string folder) => HasEnded(folder) || (stuck.Contains(folder) && IsStuck(folder));
        }
        catch (DirectoryNotFoundException)
        {
            // Unless /proc shows nothing at all.
            return Directory.Exists("/proc/self/task");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>
    /// Only the link to its program shows this without a reference to the process's memory: a reader that holds such a reference
    /// when the last thread releases the memory has to tear it down, for which nothing should wait. (Reading stat or status takes
    /// one.)
    /// </summary>
    private static bool HasEnded(string folder) => Libc.ReadLink(folder + "/exe") is null
        && Libc.LastError is Errno.ENOENT or Errno.ESRCH;

    /// <summary>
    /// Reads its state, behind its name in parentheses. The stuck thread holds the process's memory itself, so this read delays
    /// nothing.
    /// </summary>
    private static bool IsStuck(string folder)
    {
        var line = File.ReadAllText(folder + "/stat");
        return line.AsSpan(line.LastIndexOf(')') + 1).TrimStart().StartsWith("D");
    }

    private static string[] Folders(string process) => Directory.GetDirectories($"/proc/{process}/task");
}
