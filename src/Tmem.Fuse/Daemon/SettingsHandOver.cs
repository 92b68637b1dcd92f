using Tmem.Control.CommandLine;
using Tmem.Fuse.Keeper;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Daemon;

/// <summary>Becomes the tmemctl that reads the settings, and then this program again (<see cref="DaemonStart"/>).</summary>
internal static class SettingsHandOver
{
    private const string Name = "tmemctl";
    private const string Installed = "/usr/bin/tmemctl";

    /// <summary>Returns only if that is impossible: why.</summary>
    public static string Run()
    {
        var line = File.ReadAllText("/proc/self/cmdline").TrimEnd('\0').Split('\0');
        var program = Libc.ReadLink("/proc/self/exe") ?? "/proc/self/exe";
        var beside = Path.Combine(AppContext.BaseDirectory, Name);
        var reader = File.Exists(beside) ? beside : Installed;
        var arguments = Environment.GetCommandLineArgs().Length - 1;
        // Whatever a supervisor held was no daemon to go on with, and is closed.
        InheritedDescriptors.Forget();
        var error = ProcessPriority.Become(reader, [Name, .. DaemonStart.Write(program, line, arguments)]);
        return $"settings are read by {Name}, and {reader} cannot be started: {Libc.Describe(error)}; install it, or give "
            + "--mount and --capacity";
    }
}
