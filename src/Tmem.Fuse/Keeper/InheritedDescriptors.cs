using System.Globalization;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The descriptors that a supervisor hands to a service that it starts, each with a name: sd_listen_fds_with_names(3). They have
/// the numbers from 3 on.
/// </summary>
internal static class InheritedDescriptors
{
    private const int First = 3;
    private const int Most = 1024;
    private static readonly string[] s_variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

    /// <summary>Whether a variable of the environment is about them: it is not for the processes that a daemon starts.</summary>
    public static bool IsAbout(string variable) => s_variables.Contains(variable);

    /// <summary>Their names, that of <see cref="First"/> first; none if they are another process's, or there are none.</summary>
    public static string[] Names()
    {
        if (Number(s_variables[0]) != Environment.ProcessId || Number(s_variables[1]) is not (> 0 and <= Most and var count))
            return [];
        var names = Environment.GetEnvironmentVariable(s_variables[2])?.Split(':') ?? [];
        return [.. Enumerable.Range(0, count).Select(at => at < names.Length ? names[at] : "")];
    }

    /// <summary>The one of a name; -1 if there is none.</summary>
    public static int Find(string[] names, string name) => Array.LastIndexOf(names, name) is >= 0 and var at ? First + at : -1;

    /// <summary>Lets a program that this process executes in its own place have them too, or no longer.</summary>
    public static void PassOn(bool passes)
    {
        for (var at = Names().Length - 1; at >= 0; at--)
            _ = NativeProcess.fcntl(First + at, NativeProcess.F_SETFD, passes ? 0 : NativeProcess.FD_CLOEXEC);
    }

    /// <summary>Closes all of them that are not wanted.</summary>
    public static void CloseOthers(string[] names, Func<string, bool> isWanted)
    {
        for (var at = 0; at < names.Length; at++)
            if (!isWanted(names[at])) _ = Libc.close(First + at);
    }

    /// <summary>A program that this process executes in its own place, once they are closed, has none.</summary>
    public static void Forget() => _ = Libc.setenv(s_variables[0], "0", 1);

    private static int Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : -1;
}
