using System.Globalization;
using Tmem.System.Tests.Support;

namespace Tmem.System.Tests.Crash;

/// <summary>How long the crash tests run: seconds in scripts/test, as long as wanted in scripts/soak crash.</summary>
internal static class Extent
{
    public static int Kills { get; } = Number("TMEM_CRASH_KILLS", 4);

    public static int Upgrades { get; } = Number("TMEM_CRASH_UPGRADES", 2);

    /// <summary>Pages stored besides what the workloads use.</summary>
    public static int Pages { get; } = Number("TMEM_CRASH_PAGES", 20_000);

    /// <summary>From a death to serving: 300 ms with a million pages, 2 s with eight.</summary>
    public static int MostMillisecondsAfterKill => Pages <= 1_000_000 ? 300 : 2000;

    /// <summary>The stall of an upgrade, with a million pages.</summary>
    public const int MostMillisecondsOfUpgrade = 200;

    public static bool IsSoak { get; } = Environment.GetEnvironmentVariable("TMEM_CRASH_KILLS") is { Length: > 0 };

    /// <summary>Runs the verified swap workload, three quarters or half of it beyond its limit.</summary>
    public static Outcome RunSwapWorkload() => IsSoak ? Workload.Run("1G", 256 << 20, 900)
        : Workload.Run("128M", 64 << 20, 900, touches: 8000);

    private static int Number(string variable, int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var given) ? given : usual;
}
