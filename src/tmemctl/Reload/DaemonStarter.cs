using Tmem.Control.CommandLine;
using Tmem.Ctl.Native;
using Tmem.Settings;

namespace Tmem.Ctl.Reload;

/// <summary>
/// What tmemd becomes to have its files read (<see cref="DaemonStart"/>). It speaks in tmemd's name, whose command line was
/// typed.
/// </summary>
internal static class DaemonStarter
{
    /// <summary>Becomes tmemd; returns only if anything is wrong: the exit code.</summary>
    public static int Run(string program, string[] begin, string[] typed, TextWriter error)
    {
        var directory = Environment.CurrentDirectory;
        var read = SettingsReader.Read(OptionEntries.PlaceOf(typed, directory), OptionEntries.Read(typed, directory),
            SettingsSource.Ram);
        foreach (var fault in read.Faults) error.WriteLine($"tmemd: {fault.Line}");
        if (read.Faults.Count > 0) return ExitCode.Usage;
        var problem = Processes.Become(program, [.. begin, .. OptionEntries.Complete(typed, read)]);
        error.WriteLine($"tmemd: {program} cannot be started: {problem.Problem()}; look whether it is there");
        return ExitCode.Failed;
    }
}
