namespace Tmem.Fuse.Keeper;

/// <summary>
/// Recompression as one number of a worker's settings: the percentage of a processor plus one, and 256 times the level.
/// </summary>
/// <param name="Percent">The most that it may use of a processor; 0 is off.</param>
/// <param name="Level">Zstandard's.</param>
internal readonly record struct RecompressionWish(int Percent, int Level)
{
    public const int UsualPercent = 0;
    public const int UsualLevel = 6;

    public int Word => Percent + 1 | Level << 8;

    public static RecompressionWish Of(int word) =>
        word == 0 ? new(UsualPercent, UsualLevel) : new((word & 0xFF) - 1, word >> 8);
}
