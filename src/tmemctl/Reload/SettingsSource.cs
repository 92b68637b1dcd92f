using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Settings;
using Tmem.Settings.Values;

namespace Tmem.Ctl.Reload;

/// <summary>Faults of settings as this program's errors.</summary>
internal static class SettingsSource
{
    /// <summary>The machine's memory, of which sizes are computed.</summary>
    public static long Ram => PhysicalMemory.Bytes;

    /// <summary>A size as settings have it, where a percentage is of a whole; or what is wrong with it.</summary>
    public static long Size(string text, long whole, long least, long most, out string? problem)
    {
        // What a plain size says of itself is not repeated; of an expression it is what it comes to.
        if (SizeExpression.Evaluate(text, new SizeScale(Ram, whole), out var bytes) is { } wrong)
        {
            problem = ByteSize.IsTooLarge(text) ? $"'{text}' is too large; the most is {ByteSize.Format(most)}"
                : $"'{Fault.Shorten(text)}' {wrong}; write it as {SizeExpression.Examples}";
            return 0;
        }
        var told = ByteSize.TryParse(text, out _) ? $"'{text}'" : $"'{Fault.Shorten(text)}', which is {ByteSize.Format(bytes)},";
        problem = bytes < least ? $"{told} is too small; the least is {ByteSize.Format(least)}"
            : bytes > most ? $"{told} is too large; the most is {ByteSize.Format(most)}" : null;
        return bytes;
    }

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
