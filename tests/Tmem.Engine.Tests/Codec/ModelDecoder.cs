namespace Tmem.Engine.Tests.Codec;

/// <summary>
/// Decodes the block format as its description reads: a byte at a time, with checked spans. The fast decoder must agree with it.
/// </summary>
internal static class ModelDecoder
{
    /// <summary>The length decoded, or -1.</summary>
    public static int Decode(ReadOnlySpan<byte> block, Span<byte> page)
    {
        int at = 0, made = 0;
        while (true)
        {
            if (at == block.Length) return -1;
            var token = block[at++];
            if (!Length(block, ref at, token >> 4, out var literals)) return -1;
            if (literals > block.Length - at || literals > page.Length - made) return -1;
            block.Slice(at, (int)literals).CopyTo(page[made..]);
            at += (int)literals;
            made += (int)literals;
            if (at == block.Length) return made;
            if (block.Length - at < 2) return -1;
            var offset = block[at] | block[at + 1] << 8;
            at += 2;
            if (offset == 0 || offset > made) return -1;
            if (!Length(block, ref at, token & 15, out var match)) return -1;
            match += 4;
            if (match > page.Length - made) return -1;
            for (; match > 0; match--, made++) page[made] = page[made - offset];
        }
    }

    /// <summary>The sequences of a valid block; the last has no match.</summary>
    public static int Sequences(ReadOnlySpan<byte> block)
    {
        var at = 0;
        for (var sequences = 1; ; sequences++)
        {
            var token = block[at++];
            Length(block, ref at, token >> 4, out var literals);
            at += (int)literals;
            if (at == block.Length) return sequences;
            at += 2;
            Length(block, ref at, token & 15, out _);
        }
    }

    private static bool Length(ReadOnlySpan<byte> block, ref int at, int field, out long length)
    {
        length = field;
        if (field < 15) return true;
        while (at < block.Length)
        {
            length += block[at];
            if (block[at++] != 255) return true;
        }
        return false;
    }
}
