using System.Globalization;

namespace Tmem.Fuse.Control.Messages;

/// <summary>
/// Sizes as people write them: a number, perhaps with a fraction, and a unit. K, M, G, T, KiB, MiB, GiB and TiB are powers of 1024, as in
/// the memory tools of Linux; KB, MB, GB and TB are powers of 1000; B or nothing is bytes. Case and a blank before the unit do not matter.
/// </summary>
internal static class ByteSize
{
    private static readonly string[] s_binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>What a size may look like, for error messages.</summary>
    public const string Examples = "512M, 2GiB, 1.5G or 4096";

    /// <summary>Reads a size. False if it is malformed, negative, or 2^63 bytes or more. A fraction of a byte is dropped.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out long bytes)
    {
        bytes = 0;
        text = text.Trim();
        var digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] == '.')) digits++;
        if (digits == 0 || !TryUnit(text[digits..].TrimStart(), out var unit)) return false;
        if (!decimal.TryParse(text[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
        // Compared before multiplying, as the product could leave decimal's range.
        if (number > (decimal)long.MaxValue / unit) return false;
        bytes = (long)(number * unit);
        return true;
    }

    /// <summary>A size for people: the largest unit that leaves at least 1, with one decimal where it is not whole. "1.5 GiB", "17 B".</summary>
    public static string Format(long bytes)
    {
        var number = (decimal)bytes;
        var unit = 0;
        while (Math.Abs(number) >= 1024 && unit < s_binaryUnits.Length - 1)
        {
            number /= 1024;
            unit++;
        }
        return string.Create(CultureInfo.InvariantCulture, $"{Math.Round(number, 1, MidpointRounding.AwayFromZero):0.#} {s_binaryUnits[unit]}");
    }

    private static bool TryUnit(ReadOnlySpan<char> text, out long unit)
    {
        unit = 1;
        if (text.IsEmpty || text.Equals("B", StringComparison.OrdinalIgnoreCase)) return true;
        var power = "KMGTP".IndexOf(char.ToUpperInvariant(text[0])) + 1;
        if (power == 0) return false;
        var rest = text[1..];
        var binary = rest.IsEmpty || rest.Equals("iB", StringComparison.OrdinalIgnoreCase);
        if (!binary && !rest.Equals("B", StringComparison.OrdinalIgnoreCase)) return false;
        for (var i = 0; i < power; i++) unit *= binary ? 1024 : 1000;
        return true;
    }
}
