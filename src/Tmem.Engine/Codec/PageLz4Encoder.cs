using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tmem.Engine.Codec;

/// <summary>
/// An encoder of LZ4 blocks for pages of up to 64 KiB: greedy, one probe a position, into one hash table whose entries are the
/// last two positions. The newer is tried first; if it matches, the older may replace it if its match is longer.
/// </summary>
/// <remarks>
/// 4 KiB pages of real memory: 3.9 us at 102.4 % of the ratio of liblz4's default, which takes 4.4 us. docs/benchmarking.md
/// ("scripts/bench codec") says what paid and what was tried.
/// </remarks>
internal static unsafe class PageLz4Encoder
{
    /// <summary>The largest page, bytes: positions are 16 bits wide.</summary>
    public const int MaximumPage = 1 << 16;

    private const int TableBits = 11;
    // This many bytes are hashed: the format's matches of four are found where an equal fifth follows, which most have.
    private const int Hashed = 5;
    private const int FormatMatch = 4;
    // One load serves as many probes as there are words of hashed bytes in it.
    private const int Probes = sizeof(ulong) - Hashed + 1;
    // Bytes compared at once.
    private const int Window = 32;
    // The format wants the last five bytes to be literals, and no match begun in the last twelve.
    private const int LastLiterals = 5;
    private const int LastMatch = 12;
    // From here to the end the careful loop runs: at the last probe before it a whole window may be read, and match.
    private const int Near = Probes - 1 + Window + LastLiterals;
    // A run of misses steps by its count, started at 64, over 64: by one at first, by two from the 64th on.
    private const int SkipBits = 6;
    // Literals and matches shorter than this have at most one byte of length beside the token's fields. A power of two: one test
    // of both.
    private const uint Short = 256;
    // What a short sequence may write: token, two lengths, offset, the literals and the overhang of their last vector.
    private const int SequenceRoom = (int)Short + 32;

    /// <summary>
    /// Encodes a page of at most <see cref="MaximumPage"/> bytes as an LZ4 block. Returns the block's length, or 0 if it does not
    /// fit into <paramref name="destination"/>, whose contents are then undefined. The same page always gives the same block.
    /// </summary>
    [SkipLocalsInit]
    public static int Encode(ReadOnlySpan<byte> page, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(page.Length, MaximumPage, nameof(page));
        // On the stack, which is the thread's own memory and warm; cleared, so that a page's block does not depend on the page
        // before.
        var table = stackalloc uint[1 << TableBits];
        new Span<uint>(table, 1 << TableBits).Clear();
        fixed (byte* from = page, to = destination)
            return Encode(from, (nuint)page.Length, to, to + destination.Length, table);
    }

    private static int Encode(byte* page, nuint length, byte* destination, byte* outputEnd, uint* table)
    {
        nuint at = 1, anchor = 0;
        var output = destination;
        if (length <= Near) goto near;
        var lastStart = length - Near;

        while (at <= lastStart)
        {
            uint entry;
            for (nuint misses = 1 << SkipBits; ; misses += Probes)
            {
                // Unrolled by hand: the word's next bytes are the next position's.
                var word = Word(page + at);
                entry = Exchange(table, word, at);
                if (IsMatch(page + Newer(entry), word)) goto found;
                entry = Exchange(table, word >>= 8, at + 1);
                if (IsMatch(page + Newer(entry), word)) { at += 1; goto found; }
                entry = Exchange(table, word >>= 8, at + 2);
                if (IsMatch(page + Newer(entry), word)) { at += 2; goto found; }
                entry = Exchange(table, word >>= 8, at + 3);
                if (IsMatch(page + Newer(entry), word)) { at += 3; goto found; }
                at += Probes - 1 + (misses >> SkipBits);
                if (at > lastStart) goto near;
            }

        found:
            nuint match = Newer(entry);
            var alike = Alike(page + at, page + match);
            var alikeOlder = Alike(page + at, page + Older(entry));
            if (alikeOlder > alike)
            {
                alike = alikeOlder;
                match = Older(entry);
            }
            var stop = at + alike;
            if (alike == Window) stop = MatchEnd(page, stop, match + Window, length - LastLiterals);
            var offset = (ushort)(at - match);
            StepBack(page, ref at, ref match, anchor);

            var literals = (uint)(at - anchor);
            var more = (uint)(stop - at) - FormatMatch;
            if ((literals | more) < Short && outputEnd - output >= SequenceRoom)
            {
                // Both fields and their further bytes are written without a branch: what follows overwrites the unneeded bytes.
                // All ones where a field has a further byte.
                var longLiterals = (int)(14 - literals) >> 31;
                var longMatch = (int)(14 - more) >> 31;
                output[0] = (byte)(((int)literals | longLiterals) << 4 | (((int)more | longMatch) & 15));
                output[1] = (byte)(literals - 15);
                output += 1 - longLiterals;
                // Reads stay below at + 16, which the page has.
                Vector128.Load(page + anchor).Store(output);
                for (nuint copied = 16; copied < literals; copied += 16)
                    Vector128.Load(page + anchor + copied).Store(output + copied);
                output += literals;
                Unsafe.WriteUnaligned(output, offset);
                output[2] = (byte)(more - 15);
                output += 2 - longMatch;
            }
            else
            {
                output = Sequence(output, outputEnd, page + anchor, literals, offset, more);
                if (output == null) return 0;
            }
            anchor = at = stop;
        }

    near:
        return NearEnd(page, at, anchor, length, destination, output, outputEnd, table);
    }

    /// <summary>Near the end: the same, a byte at a time.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int NearEnd(
        byte* page, nuint at, nuint anchor, nuint length, byte* destination, byte* output, byte* outputEnd, uint* table)
    {
        while (at + LastMatch <= length)
        {
            var word = Word(page + at);
            nuint match = Newer(Exchange(table, word, at));
            if (!IsMatch(page + match, word))
            {
                at++;
                continue;
            }
            var stop = MatchEnd(page, at + FormatMatch, match + FormatMatch, length - LastLiterals);
            var offset = (ushort)(at - match);
            StepBack(page, ref at, ref match, anchor);
            output = Sequence(output, outputEnd, page + anchor, (uint)(at - anchor), offset, (uint)(stop - at) - FormatMatch);
            if (output == null) return 0;
            anchor = at = stop;
        }
        return Finish(destination, output, outputEnd, page + anchor, page + length);
    }

    /// <summary>
    /// Returns the table's entry for a position's bytes, and replaces it: by the position, and the newer of the old ones. Each is
    /// below the position, or 0: in both cases page bytes that exist and lie before.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Exchange(uint* table, ulong word, nuint at)
    {
        ref var place = ref table[word * (0x9E3779B185EBCA87 << (64 - 8 * Hashed)) >> (64 - TableBits)];
        var entry = place;
        place = entry << 16 | (uint)at;
        return entry;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint Newer(uint entry) => (ushort)entry;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint Older(uint entry) => entry >> 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsMatch(byte* match, ulong word) => Unsafe.ReadUnaligned<uint>(match) == (uint)word;

    /// <summary>The number of equal bytes at two places, up to a window, which both must have.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint Alike(byte* at, byte* match)
    {
        // A vector's mask is cheap on x86 alone. Without AVX2 this is two of 16 bytes.
        if (X86Base.IsSupported)
            return (uint)BitOperations.TrailingZeroCount(
                ~Vector256.Equals(Vector256.Load(at), Vector256.Load(match)).ExtractMostSignificantBits());
        for (nuint alike = 0; alike < Window; alike += sizeof(ulong))
        {
            var different = Word(at + alike) ^ Word(match + alike);
            if (different != 0) return alike + (uint)(BitOperations.TrailingZeroCount(different) >> 3);
        }
        return Window;
    }

    /// <summary>
    /// The end of a match that holds up to <paramref name="at"/>; never beyond <paramref name="limit"/>, five bytes before the
    /// page's end.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nuint MatchEnd(byte* page, nuint at, nuint match, nuint limit)
    {
        for (; at + Window <= limit; at += Window, match += Window)
        {
            var alike = Alike(page + at, page + match);
            if (alike != Window) return at + alike;
        }
        for (; at < limit && page[at] == page[match]; match++) at++;
        return at;
    }

    /// <summary>Extends a match backwards over equal bytes not yet written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StepBack(byte* page, ref nuint at, ref nuint match, nuint anchor)
    {
        for (; at > anchor && match > 0 && page[at - 1] == page[match - 1]; match--) at--;
    }

    /// <summary>Writes a sequence of any lengths, exact to the byte; null if there is no room.</summary>
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

    /// <summary>Writes the last sequence: literals alone. Returns the length of the block, or 0 if there is no room.</summary>
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
}
