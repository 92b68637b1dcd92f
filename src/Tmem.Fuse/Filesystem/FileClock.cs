namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Time stamps as the inodes hold them, each in one 64-bit word, so that one store changes a time and no reader sees half a
/// change.
/// <code>
/// 1901 to 2446      | seconds + 2^31 : 34 | nanoseconds : 30 |                          ext4's range
/// all other times   | seconds, bits 26-59 : 34 | 10^9 + seconds, bits 0-25 : 30 |       whole seconds, +-18 billion years
/// </code>
/// Two words a time were considered (as tmpfs has): they cost a tenth of an inode and a lock on each write, for fractions of
/// seconds from 2447 on.
/// </summary>
internal static class FileClock
{
    private const uint NanosecondsPerSecond = 1_000_000_000;
    private const int FractionBits = 30;
    private const uint FractionMask = (1u << FractionBits) - 1;
    private const int CoarseBits = 26;
    private const uint CoarseMask = (1u << CoarseBits) - 1;
    private const long Bias = 1L << 31;
    private const long FineSeconds = 1L << 34;

    /// <summary>Times this many seconds or more from 1970 cannot be represented.</summary>
    private const long Furthest = 1L << 59;

    /// <summary>
    /// For at most this long after a user has set the modification time, a page that the kernel writes back from a mapping counts
    /// as changed before that: the kernel writes pages 30 s after their first change (vm.dirty_expire_centisecs) and looks every
    /// 5 s. Usually the kernel is asked to write them at once (<see cref="Protocol.DeferralKind.TimeSet"/>), which ends the
    /// period.
    /// </summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(40);

    public static ulong Now()
    {
        var (seconds, ticks) = Math.DivRem(DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks, TimeSpan.TicksPerSecond);
        return Fine(seconds, (uint)ticks * 100);
    }

    /// <summary>
    /// A time on the wire, where seconds before 1970 are negative in two's complement. False if it cannot be represented.
    /// </summary>
    public static bool TryFromWire(ulong seconds, uint nanoseconds, out ulong time)
    {
        var whole = (long)seconds;
        time = IsFine(whole) ? Fine(whole, Math.Min(nanoseconds, NanosecondsPerSecond - 1)) : Coarse(whole);
        return whole is >= -Furthest and < Furthest;
    }

    public static (ulong Seconds, uint Nanoseconds) ToWire(ulong time)
    {
        var fraction = (uint)time & FractionMask;
        if (fraction < NanosecondsPerSecond) return ((time >> FractionBits) - (ulong)Bias, fraction);
        // The arithmetic shift to the right extends the sign.
        var high = (long)(time >> FractionBits << FractionBits) >> FractionBits;
        return ((ulong)(high << CoarseBits) | (fraction - NanosecondsPerSecond), 0);
    }

    /// <summary>
    /// Whether less than <see cref="Grace"/> has passed since a time. False for a time in the future: the clock was set back.
    /// </summary>
    public static bool IsRecent(ulong time)
    {
        var (then, now) = (ToWire(time), ToWire(Now()));
        var seconds = (long)(now.Seconds - then.Seconds);
        return seconds >= 0 && seconds < Grace.TotalSeconds;
    }

    private static bool IsFine(long seconds) => seconds is >= -Bias and < FineSeconds - Bias;

    private static ulong Fine(long seconds, uint nanoseconds) => (ulong)(seconds + Bias) << FractionBits | nanoseconds;

    private static ulong Coarse(long seconds) =>
        (ulong)(seconds >> CoarseBits) << FractionBits | (NanosecondsPerSecond + ((uint)seconds & CoarseMask));
}
