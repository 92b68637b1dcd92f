using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Tmem.Engine.Format;

/// <summary>
/// One place of the dictionary table, 32 bytes. Its number is the first stored byte of the pages that need the dictionary.
/// <code>
/// word 0   | place of its slot / 16 : 44 | content's length - 1 : 20 |      0: no dictionary; written last
/// word 1   XXH3-64 of the content
/// word 2   | pool id : 32 | seconds since 1970 : 32 |                       pool 0: shared by small pools
/// word 3   XXH3-64 of words 0 to 2, seeded with the number
/// </code>
/// The content lies behind the first 16 bytes of its slot (<see cref="ContentOffset"/>), which a span of dictionaries holds.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal struct DictionaryEntry
{
    public const int Bytes = 32;
    public const int ContentOffset = 16;

    /// <summary>A dictionary is one slot, the largest at most.</summary>
    public const int MostContent = RegionLayout.LargestPageSize;

    private const int LengthBits = 20;
    private const ulong LengthMask = (1UL << LengthBits) - 1;

    public ulong Word;
    public ulong ContentSum;
    public ulong Origin;
    public ulong Sum;

    public readonly bool IsThere => Word != 0;
    public readonly ulong Slot => Word >> LengthBits << 4;
    public readonly int Length => (int)(Word & LengthMask) + 1;
    public readonly PoolId Pool => new((uint)(Origin >> 32));
    public readonly long MadeAt => (uint)Origin;

    public static ulong MakeWord(ulong slot, int length) => slot >> 4 << LengthBits | (uint)(length - 1);
    public static ulong MakeOrigin(PoolId pool, long madeAt) => (ulong)pool.Value << 32 | (uint)madeAt;

    /// <summary>What <see cref="Sum"/> has to be.</summary>
    public static ulong SumOf(int number, ulong word, ulong contentSum, ulong origin) =>
        XxHash3.HashToUInt64(MemoryMarshal.AsBytes([word, contentSum, origin]), number);

    public readonly bool IsSound(int number) => Sum == SumOf(number, Word, ContentSum, Origin);
}
