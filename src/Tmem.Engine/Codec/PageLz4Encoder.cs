using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tmem.Engine.Codec;

/// <summary>
/// An encoder of LZ4 blocks for pages of up to 64 KiB: greedy, one probe a position, into one hash table of 16-bit positions.
/// </summary>
/// <remarks>
/// Measured on 16,384 pages of 4 KiB of real memory (scripts/bench codec), beside liblz4 1.9.4's default at 6.4 us a page: 5.9 us at 97.2 % of
/// its ratio. A page is some 270 sequences and the time goes into those, not into clearing the stock encoder's 16 KiB table (182 ns of it;
/// this one's 8 KiB, 100). One page encoded over and over, so that its branches are foreseen, still takes two thirds of the time. What paid
/// was fewer sequences (six bytes sought, where the format's four give a fifth more of them) and fewer branches in writing one. Weighed, all
/// slower or not faster at that ratio: four or two positions probed at once without a branch (the chain grows by more than the branches
/// saved), probing one byte behind a match's end with a step back, taking short matches' lengths from the probe's own words, 32-byte
/// comparisons. A shorter run of misses before the steps grow is up to a tenth faster, at 94 %. No branch at all was written in C: hashes of all
/// positions by vectors, a table lookup for each, then four quarters of the page parsed in step from a bit a position that has a match. Parsing (0.96 us) and
/// writing (0.5) are then cheap, but 4,096 lookups and stores are not (2.4 us, with entries that carry a tag and never touch the page; gathers are
/// slower), where a quarter of them is needed: 1.1 times liblz4's speed at 97.0 %. Looking at every other position alone costs 2 % of the ratio or more.
/// </remarks>
internal static unsafe class PageLz4Encoder
{
    /// <summary>The largest page, bytes: positions are 16 bits wide.</summary>
    public const int MaximumPage = 1 << 16;

    private const int TableBits = 12;
    // Only matches of this many bytes are looked for; the format's own minimum is 4.
    private const int SoughtMatch = 6;
    private const int FormatMatch = 4;
    // No match is begun in the last bytes of a page. The format asks for 12; 16 lets a whole vector be read at any position tried.
    private const int LastStart = 16;
    // The format wants the last five bytes to be literals.
    private const int LastLiterals = 5;
    // A run of misses steps by its count, begun at 64, over 64: by one at first, by two from the 64th on.
    private const int SkipBits = 6;
    // Literals and matches shorter than this have at most one byte of length beside the token's fields. A power of two: one test of both.
    private const uint Short = 256;
    // What a short sequence may write: token, two lengths, offset, the literals and the overhang of their last vector.
    private const int SequenceRoom = (int)Short + 32;

    /// <summary>
    /// Encodes a page of at most <see cref="MaximumPage"/> bytes as an LZ4 block. Returns the block's length, or 0 if it does not fit into
    /// <paramref name="destination"/>, whose contents are then undefined. The same page always gives the same block.
    /// </summary>
    [SkipLocalsInit]
    public static int Encode(ReadOnlySpan<byte> page, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(page.Length, MaximumPage, nameof(page));
        // On the stack, which is the thread's own memory and warm; cleared, so that what a page becomes does not depend on the one before.
        var table = stackalloc ushort[1 << TableBits];
        new Span<ushort>(table, 1 << TableBits).Clear();
        fixed (byte* from = page, to = destination)
            return Encode(from, page.Length, to, destination.Length, table);
    }

    private static int Encode(byte* page, int length, byte* destination, int room, ushort* table)
    {
        var at = page + 1;
        var anchor = page;
        var end = page + length;
        var output = destination;
        var outputEnd = destination + room;
        if (length <= LastStart) return Finish(destination, output, outputEnd, anchor, end);
        var lastStart = end - LastStart;

        while (true)
        {
            byte* match;
            for (var misses = 1u << SkipBits; ; misses++)
            {
                if (at > lastStart) return Finish(destination, output, outputEnd, anchor, end);
                var word = Word(at);
                ref var entry = ref table[Hash(word)];
                // An entry is below the position, or 0: in both cases page bytes that are there and lie before.
                match = page + entry;
                entry = (ushort)(at - page);
                if (Sought(Word(match) ^ word) == 0) break;
                at += misses >> SkipBits;
            }

            var stop = MatchEnd(at + SoughtMatch, match + SoughtMatch, end - LastLiterals);
            var literals = (uint)(at - anchor);
            var more = (uint)(stop - at) - FormatMatch;
            if ((literals | more) < Short && outputEnd - output >= SequenceRoom)
            {
                // Both fields and their further bytes are written without a branch: what is not needed is overwritten by what follows.
                var token = output;
                *token = (byte)(Math.Min(literals, 15) << 4 | Math.Min(more, 15));
                token[1] = (byte)(literals - 15);
                output += literals >= 15 ? 2 : 1;
                Vector128.Load(anchor).Store(output);
                // Reads stay below at + 16, which the page has.
                for (var copied = 16u; copied < literals; copied += 16) Vector128.Load(anchor + copied).Store(output + copied);
                output += literals;
                Unsafe.WriteUnaligned(output, (ushort)(at - match));
                output[2] = (byte)(more - 15);
                output += more >= 15 ? 3 : 2;
            }
            else
            {
                output = Sequence(output, outputEnd, anchor, literals, (ushort)(at - match), more);
                if (output == null) return 0;
            }

            anchor = at = stop;
            if (at > lastStart) return Finish(destination, output, outputEnd, anchor, end);
            table[Hash(Word(at - 2))] = (ushort)(at - 2 - page);
        }
    }

    /// <summary>
    /// Where the match ends that holds up to <paramref name="at"/>; never beyond <paramref name="limit"/>, five bytes before the page's end.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* MatchEnd(byte* at, byte* match, byte* limit)
    {
        if (Sse2.IsSupported)
        {
            for (; at + 16 <= limit; at += 16, match += 16)
            {
                var different = Vector128.Equals(Vector128.Load(at), Vector128.Load(match)).ExtractMostSignificantBits() ^ 0xffff;
                if (different != 0) return at + (uint)BitOperations.TrailingZeroCount(different);
            }
        }
        else
        {
            // Elsewhere a vector's mask costs more than a word's difference.
            for (; at + 8 <= limit; at += 8, match += 8)
            {
                var different = Word(at) ^ Word(match);
                if (different != 0) return at + (uint)(BitOperations.TrailingZeroCount(different) >> 3);
            }
        }
        return MatchEndNear(at, match, limit);
    }

    /// <summary>The same near the limit, apart from the loop that is to be small.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static byte* MatchEndNear(byte* at, byte* match, byte* limit)
    {
        for (; at < limit && *at == *match; match++) at++;
        return at;
    }

    /// <summary>Writes a sequence of any lengths, to the byte; null if there is no room.</summary>
    private static byte* Sequence(byte* output, byte* end, byte* anchor, uint literals, ushort offset, uint more)
    {
        if (1 + FieldBytes(literals) + literals + 2 + FieldBytes(more) > end - output) return null;
        var token = output++;
        *token = (byte)(Math.Min(literals, 15) << 4 | Math.Min(more, 15));
        output = Field(output, literals);
        Unsafe.CopyBlockUnaligned(output, anchor, literals);
        output += literals;
        *output++ = (byte)offset;
        *output++ = (byte)(offset >> 8);
        return Field(output, more);
    }

    /// <summary>The last sequence: literals alone. The length of the block, or 0 if there is no room.</summary>
    private static int Finish(byte* destination, byte* output, byte* outputEnd, byte* anchor, byte* end)
    {
        var literals = (uint)(end - anchor);
        if (1 + FieldBytes(literals) + literals > outputEnd - output) return 0;
        *output++ = (byte)(Math.Min(literals, 15) << 4);
        output = Field(output, literals);
        Unsafe.CopyBlockUnaligned(output, anchor, literals);
        return (int)(output + literals - destination);
    }

    private static uint FieldBytes(uint value) => value < 15 ? 0 : (value - 15) / 255 + 1;

    private static byte* Field(byte* output, uint value)
    {
        if (value < 15) return output;
        for (value -= 15; value >= 255; value -= 255) *output++ = 255;
        *output++ = (byte)value;
        return output;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Word(byte* at) => Unsafe.ReadUnaligned<ulong>(at);

    /// <summary>The first bytes of a word, as many as are sought.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Sought(ulong word) => word << (64 - 8 * SoughtMatch);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint Hash(ulong word) => (nuint)(Sought(word) * 0x9E3779B185EBCA87 >> (64 - TableBits));
}
