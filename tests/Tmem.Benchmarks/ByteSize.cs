using System.Globalization;

namespace Tmem.Fuse.Control.Messages;

/// <summary>Sizes as people write them: 4096, 512K, 1.5G, 2GiB.</summary>
internal static class ByteSize
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB"];

    /// <summary>Parses a size; false for anything that is not one, is negative or does not fit.</summary>
    public static bool TryParse(string? text, out long bytes)
    {
        bytes = 0;
        var rest = (text ?? "").Trim().ToUpperInvariant();
        if (rest.EndsWith("IB", StringComparison.Ordinal)) rest = rest[..^2];
        else if (rest.EndsWith('B')) rest = rest[..^1];
        if (rest.Length == 0) return false;
        var power = "KMGT".IndexOf(rest[^1]) + 1;
        if (power > 0) rest = rest[..^1];
        if (!decimal.TryParse(rest, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
        if (number > long.MaxValue >> (10 * power)) return false;
        bytes = (long)(number * (1L << (10 * power)));
        return true;
    }

    /// <summary>A size with one decimal and a binary unit.</summary>
    public static string Format(long bytes)
    {
        double value = bytes;
        var unit = 0;
        while (value >= 1024 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }
        return unit == 0 ? $"{bytes} B" : string.Create(CultureInfo.InvariantCulture, $"{value:F1} {Units[unit]}");
    }
}
