namespace Tmem.Fuse.Filesystem;

/// <summary>Time stamps as the inodes hold them: nanoseconds since 1970 in one 64-bit word; times outside of it are clamped.</summary>
internal static class FileClock
{
    private const long NanosecondsPerSecond = 1_000_000_000;
    private const long LastSecond = long.MaxValue / NanosecondsPerSecond - 1;

    public static long Now() => (DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks) * 100;

    /// <summary>From a time on the wire; seconds before 1970 are negative in two's complement.</summary>
    public static long FromWire(ulong seconds, uint nanoseconds)
    {
        var whole = Math.Clamp((long)seconds, -LastSecond, LastSecond);
        return whole * NanosecondsPerSecond + Math.Min(nanoseconds, NanosecondsPerSecond - 1);
    }

    public static (ulong Seconds, uint Nanoseconds) ToWire(long time)
    {
        var seconds = Math.DivRem(time, NanosecondsPerSecond, out var rest);
        if (rest < 0)
        {
            seconds--;
            rest += NanosecondsPerSecond;
        }
        return ((ulong)seconds, (uint)rest);
    }
}
