using System.Text.Unicode;
using Tmem.Control.Messages;

namespace Tmem.Control.CommandLine;

/// <summary>
/// The command line as typed, to the byte. A .NET program sees U+FFFD in its arguments where the bytes are not UTF-8: another
/// name, which may well exist. A U+FFFD that was typed is a character like any other.
/// </summary>
internal static class ArgumentBytes
{
    private const string OwnCommandLine = "/proc/self/cmdline";
    private const char Replaced = '\uFFFD';

    /// <summary>The first argument of this process that is not UTF-8, escaped for display; null if all are.</summary>
    public static string? NotUtf8(string[] args) => !args.Any(argument => argument.Contains(Replaced)) ? null
        : NotUtf8(File.ReadAllBytes(OwnCommandLine), args.Length);

    /// <summary>
    /// The same for the last <paramref name="count"/> words of a command line, each of which ends with a 0: the program before
    /// them may be two words (dotnet tmemd.dll).
    /// </summary>
    public static string? NotUtf8(ReadOnlySpan<byte> commandLine, int count)
    {
        string? found = null;
        for (; count > 0 && commandLine.Length > 0; count--)
        {
            var end = commandLine.Length - 1;
            var start = commandLine[..end].LastIndexOf((byte)0) + 1;
            var word = commandLine[start..end];
            if (!Utf8.IsValid(word)) found = SafeText.OfBytes(word);
            commandLine = commandLine[..start];
        }
        return found;
    }
}
