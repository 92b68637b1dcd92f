using System.Globalization;

namespace Tmem.Control.Host;

/// <summary>
/// The descriptors of a process as links in /proc, without a look at what they lead to. .NET's own enumeration of a folder asks
/// the target of each link whether it is a folder, and one on a mount that hangs, anybody's, never answers.
/// </summary>
internal static class ProcessDescriptors
{
    private const string Size = "FDSize:";

    /// <summary>A link for each place in the process's table; not every place has a descriptor.</summary>
    /// <param name="process">Its folder: /proc/123.</param>
    /// <exception cref="IOException">There is no such process any more.</exception>
    /// <exception cref="UnauthorizedAccessException">It is not ours to look into.</exception>
    public static IEnumerable<string> Of(string process)
    {
        var line = File.ReadLines(process + "/status").FirstOrDefault(line => line.StartsWith(Size, StringComparison.Ordinal));
        _ = int.TryParse(line.AsSpan(line is null ? 0 : Size.Length), CultureInfo.InvariantCulture, out var places);
        return Enumerable.Range(0, places)
            .Select(number => string.Create(CultureInfo.InvariantCulture, $"{process}/fd/{number}"));
    }
}
