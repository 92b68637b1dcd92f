using System.Globalization;

namespace Tmem.Control.Host;

/// <summary>
/// The descriptors of a process as links in /proc, without a look at their targets. .NET's own enumeration of a directory asks
/// whether the target of each link is a directory, and a target on any mount that hangs never answers.
/// </summary>
internal static class ProcessDescriptors
{
    private const string Size = "FDSize:";

    /// <summary>A link for each slot of the process's table; not every slot has a descriptor.</summary>
    /// <param name="process">Its directory: /proc/123.</param>
    /// <exception cref="IOException">The process has ended.</exception>
    /// <exception cref="UnauthorizedAccessException">Access is denied.</exception>
    public static IEnumerable<string> Of(string process)
    {
        var line = File.ReadLines(process + "/status").FirstOrDefault(line => line.StartsWith(Size, StringComparison.Ordinal));
        _ = int.TryParse(line.AsSpan(line is null ? 0 : Size.Length), CultureInfo.InvariantCulture, out var places);
        return Enumerable.Range(0, places)
            .Select(number => string.Create(CultureInfo.InvariantCulture, $"{process}/fd/{number}"));
    }
}
