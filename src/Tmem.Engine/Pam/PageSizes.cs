using System.Numerics;
using Tmem.Engine.Format;

namespace Tmem.Engine.Pam;

/// <summary>The page sizes a pool can have: 4096 &lt;&lt; n bytes.</summary>
internal static class PageSizes
{
    private const int SmallestShift = 12;

    public const int Smallest = RegionLayout.PageSize;
    public const int Largest = RegionLayout.LargestPageSize;
    public static readonly int Count = Number(Largest) + 1;

    public static bool IsServed(int bytes) => bytes is >= Smallest and <= Largest && BitOperations.IsPow2(bytes);

    /// <summary>The n of 4096 &lt;&lt; n.</summary>
    public static int Number(int bytes) => BitOperations.Log2((uint)bytes) - SmallestShift;
}
