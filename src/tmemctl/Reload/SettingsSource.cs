using Tmem.Control.Host;
using Tmem.Ctl.Output;
using Tmem.Settings;

namespace Tmem.Ctl.Reload;

/// <summary>Faults of settings as this program's errors.</summary>
internal static class SettingsSource
{
    /// <summary>The machine's memory, of which sizes are computed.</summary>
    public static long Ram => PhysicalMemory.Bytes;

    /// <summary>Prints what is wrong, a line each; a program gets the first, and how many there are.</summary>
    public static int Fail(this Terminal terminal, IReadOnlyList<Fault> faults)
    {
        foreach (var fault in terminal.Json ? faults.Take(1) : faults)
        {
            var key = fault.Key.Length == 0 ? "" : Fault.Shorten(fault.Key) + ": ";
            var more = terminal.Json && faults.Count > 1 ? $" (and {faults.Count - 1} more)" : "";
            terminal.Fail(ExitCode.Failed, $"{fault.From}: {key}{fault.Problem}{more}", fault.Remedy);
        }
        return ExitCode.Failed;
    }
}
