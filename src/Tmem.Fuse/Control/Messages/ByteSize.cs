using System.Buffers;
using System.Globalization;

namespace Tmem.Fuse.Control.Messages;

/// <summary>
/// Sizes as people write and read them. Units are powers of 1024 and a letter, "B" and "iB" after it change nothing (2G = 2GB = 2GiB), because a
/// store of pages has no use for powers of 1000.
/// </summary>
internal static class ByteSize
{
    private const string Units = "KMGTPE";
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    /// <summary>Reads 4096, 512K, 512MiB, 1.5G… A fraction needs a unit and is rounded down to whole bytes.</summary>
    /// <param name="text">The text; space around it and before the unit is allowed.</param>
    /// <param name="bytes">The size in bytes, 0 if it cannot be read.</param>
    /// <returns>False for anything else: signs, junk, more than 2^63-1 bytes.</returns>
    public static bool TryParse(string? text, out long bytes)
    {
        bytes = 0;
        if (text is null) return false;
        var rest = text.AsSpan().Trim();
        var digits = rest.IndexOfAnyExcept(Digits);
        var number = digits < 0 ? rest : rest[..digits];
        var suffix = digits < 0 ? [] : rest[digits..].TrimStart();
        if (number.Length is 0 or > 24 || number[0] == '.' || number[^1] == '.') return false;
        if (!TryUnit(suffix, out var shift)) return false;
        if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)) return false;
        if (shift == 0 && number.Contains('.')) return false;
        var factor = 1L << shift;
        if (value > (decimal)long.MaxValue / factor) return false;
        bytes = (long)decimal.Floor(value * factor);
        return true;
    }

    /// <summary>"512 B", "4.0 KiB", "512.0 MiB": one decimal, the largest unit that leaves at least 1.</summary>
    public static string Format(long bytes)
    {
        if (bytes < 0) return bytes == long.MinValue ? "-8.0 EiB" : "-" + Format(-bytes);
        if (bytes < 1024) return bytes.ToString(CultureInfo.InvariantCulture) + " B";
        var unit = (63 - (int)ulong.LeadingZeroCount((ulong)bytes)) / 10;
        var tenths = Math.Round((decimal)bytes / (1L << (10 * unit)), 1, MidpointRounding.AwayFromZero);
        if (tenths >= 1024 && unit < Units.Length)
        {
            unit++;
            tenths = 1;
        }
        return string.Create(CultureInfo.InvariantCulture, $"{tenths:0.0} {Units[unit - 1]}iB");
    }

    private static bool TryUnit(ReadOnlySpan<char> suffix, out int shift)
    {
        shift = 0;
        if (suffix.Length == 0) return true;
        var unit = Units.IndexOf(char.ToUpperInvariant(suffix[0]), StringComparison.Ordinal);
        if (unit < 0) return suffix.Equals("B", StringComparison.OrdinalIgnoreCase);
        shift = 10 * (unit + 1);
        var tail = suffix[1..];
        return tail.Length == 0 || tail.Equals("B", StringComparison.OrdinalIgnoreCase) || tail.Equals("iB", StringComparison.OrdinalIgnoreCase);
    }
}
