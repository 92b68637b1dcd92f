using System.Buffers;
using System.Globalization;

namespace Tmem.Control.Messages;

/// <summary>
/// Sizes as people write and read them. K, M, G… and KiB, MiB, GiB… are powers of 1024, as in the memory tools of Linux; KB, MB,
/// GB… are powers of 1000; B or nothing is bytes. Case does not matter.
/// </summary>
internal static class ByteSize
{
    private const string Units = "KMGTPE";
    /// <summary>The spelling of an absent limit or reserve.</summary>
    public const string None = "none";
    /// <summary>Examples of sizes, for error messages.</summary>
    public const string Examples = "512M, 2GiB, 1.5G or 4096";

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
        if (!TryUnit(suffix, out var factor)) return false;
        if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)) return false;
        if (factor == 1 && number.Contains('.')) return false;
        if (value > (decimal)long.MaxValue / factor) return false; // before multiplying: the product could leave decimal's range
        bytes = (long)decimal.Floor(value * factor);
        return true;
    }

    /// <summary>Whether a text that <see cref="TryParse"/> refuses is a size, and above 2^63-1 bytes.</summary>
    public static bool IsTooLarge(string text)
    {
        var rest = text.AsSpan().Trim();
        var digits = rest.IndexOfAnyExcept(Digits);
        var number = digits < 0 ? rest : rest[..digits];
        return number.Length > 0 && number[0] != '.' && number[^1] != '.' && number.Count('.') <= 1
            && TryUnit(digits < 0 ? [] : rest[digits..].TrimStart(), out var factor) && (factor > 1 || !number.Contains('.'))
            && double.Parse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture) * factor >= long.MaxValue;
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

    /// <summary>The size to be typed, to the byte: "256M", "1536K", "4097".</summary>
    public static string Exact(long bytes)
    {
        var unit = bytes == 0 ? 0 : Math.Min((int)long.TrailingZeroCount(bytes) / 10, Units.Length);
        return (bytes >> (10 * unit)).ToString(CultureInfo.InvariantCulture) + (unit == 0 ? "" : Units[unit - 1]);
    }

    /// <summary>The bytes of a unit: K, MiB, GB...; of nothing and of B, 1.</summary>
    public static bool TryUnit(ReadOnlySpan<char> suffix, out long factor)
    {
        factor = 1;
        if (suffix.Length == 0 || suffix.Equals("B", StringComparison.OrdinalIgnoreCase)) return true;
        var power = Units.IndexOf(char.ToUpperInvariant(suffix[0]), StringComparison.Ordinal) + 1;
        var tail = suffix[1..];
        var binary = tail.Length == 0 || tail.Equals("iB", StringComparison.OrdinalIgnoreCase);
        if (power == 0 || (!binary && !tail.Equals("B", StringComparison.OrdinalIgnoreCase))) return false;
        for (var i = 0; i < power; i++) factor *= binary ? 1024 : 1000;
        return true;
    }
}
