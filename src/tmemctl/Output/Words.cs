using System.Globalization;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Output;

/// <summary>Figures as people read them.</summary>
internal static class Words
{
    /// <summary>Bytes: "512.0 MiB".</summary>
    public static string Size(long bytes) => ByteSize.Format(bytes);

    /// <summary>A limit or a reserve: "none" for 0.</summary>
    public static string Limit(long bytes) => bytes == 0 ? ByteSize.None : ByteSize.Format(bytes);

    /// <summary>A reserve as a suffix to a pool's description: empty for 0.</summary>
    public static string Reserve(long bytes) => bytes == 0 ? "" : $", {ByteSize.Format(bytes)} reserved";

    /// <summary>A plain number.</summary>
    public static string Count(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>How many times smaller: "2.63", or "-" without compressed bytes.</summary>
    public static string Ratio(long original, long compressed) => compressed <= 0 ? "-"
        : ((double)original / compressed).ToString("0.00", CultureInfo.InvariantCulture);

    /// <summary>A share: "12.3 %".</summary>
    public static string Share(long part, long whole) =>
        whole <= 0 ? "-" : (100.0 * part / whole).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    /// <summary>A duration: "3d 4h", "5h 12m", "3m 20s", "12s".</summary>
    public static string Duration(double seconds)
    {
        var time = TimeSpan.FromSeconds(seconds);
        return time switch
        {
            { TotalDays: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalDays}d {time.Hours}h"),
            { TotalHours: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Hours}h {time.Minutes}m"),
            { TotalMinutes: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}m {time.Seconds}s"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{time.Seconds}s"),
        };
    }
}
