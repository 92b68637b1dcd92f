using CsCheck;
using K4os.Compression.LZ4;
using Tmem.Engine.Codec;

namespace Tmem.Engine.Tests.Codec;

/// <summary>The page codec against itself and against the stock implementations of its format, between guard pages.</summary>
public sealed class PageLz4Tests
{
    private const int Largest = 65536;
    private static readonly int[] s_sizes = [4096, 8192, 16384, 32768, 65536];

    private delegate int Coder(ReadOnlySpan<byte> from, Span<byte> to);

    private static readonly Coder s_k4osEncode = (page, block) => LZ4Codec.Encode(page, block);
    private static readonly Coder s_k4osDecode = (block, page) => LZ4Codec.Decode(block, page);

    [Fact]
    public void A_match_up_to_the_pages_end_repeats_whatever_its_offset()
    {
        // Long matches that leave no room behind them take another copy path than all others.
        var page = new byte[4096];
        var block = new byte[8192];
        var back = new byte[4096];
        var random = new Random(1);
        for (var offset = 1; offset <= 200; offset++)
        {
            for (var rest = 0; rest <= 14; rest++)
            {
                random.NextBytes(page.AsSpan(0, offset));
                for (var i = offset; i < page.Length - rest; i++) page[i] = page[i - offset];
                random.NextBytes(page.AsSpan(page.Length - rest));
                var length = PageLz4Encoder.Encode(page, block);
                Assert.Equal(page.Length, PageLz4Decoder.Decode(block.AsSpan(0, length), back));
                Assert.Equal(page, back);
                Array.Clear(back);
            }
        }
    }

    [Fact]
    public void Own_blocks_decode_to_the_page_they_were_made_of() => EveryPage(PageLz4Encoder.Encode, PageLz4Decoder.Decode);

    [Fact]
    public void K4os_decodes_what_the_encoder_makes() => EveryPage(PageLz4Encoder.Encode, s_k4osDecode);

    [Fact]
    public void The_decoder_decodes_what_K4os_makes() => EveryPage(s_k4osEncode, PageLz4Decoder.Decode);

    [Fact]
    public void Liblz4_decodes_what_the_encoder_makes()
    {
        NativeLz4.SkipUnlessPresent();
        EveryPage(PageLz4Encoder.Encode, NativeLz4.Decode);
    }

    [Fact]
    public void The_decoder_decodes_what_liblz4_makes()
    {
        NativeLz4.SkipUnlessPresent();
        EveryPage(NativeLz4.Encode, PageLz4Decoder.Decode);
    }

    /// <summary>Lengths around every limit of the format: empty, too short for a match, and not multiples of a word.</summary>
    [Fact]
    public void Pages_of_any_length_pass_both_ways()
    {
        using var buffers = new Buffers();
        foreach (var kind in SamplePages.Kinds)
            for (var length = 0; length < 300; length++)
            {
                var page = SamplePages.Make(kind, length, length);
                buffers.RoundTrip(page, PageLz4Encoder.Encode, PageLz4Decoder.Decode);
                if (length == 0) continue; // K4os takes an empty page for an error.
                buffers.RoundTrip(page, PageLz4Encoder.Encode, s_k4osDecode);
                buffers.RoundTrip(page, s_k4osEncode, PageLz4Decoder.Decode);
            }
    }

    [Fact]
    public void Any_page_passes_both_ways()
    {
        // Few values and short pieces repeated: far more matches than uniform bytes would have.
        var piece = Gen.Select(Gen.Byte[0, 3].Array[1, 40], Gen.Int[1, 60]);
        piece.Array[0, 40].Sample(pieces =>
        {
            var page = pieces.SelectMany(p => Enumerable.Repeat(p.Item1, p.Item2).SelectMany(b => b)).Take(Largest).ToArray();
            using var buffers = new Buffers();
            buffers.RoundTrip(page, PageLz4Encoder.Encode, PageLz4Decoder.Decode);
            if (page.Length == 0) return;
            buffers.RoundTrip(page, PageLz4Encoder.Encode, s_k4osDecode);
            buffers.RoundTrip(page, s_k4osEncode, PageLz4Decoder.Decode);
        }, iter: 1000);
    }

    /// <summary>
    /// A destination of at least the block's length takes the block, always the same one; a shorter one is refused. The guard
    /// pages detect any overrun.
    /// </summary>
    [Fact]
    public void A_destination_of_any_size_is_kept_to()
    {
        using var buffers = new Buffers();
        foreach (var kind in SamplePages.Kinds)
        {
            var page = SamplePages.Make(kind, 4096, 7);
            var block = new byte[LZ4Codec.MaximumOutputSize(page.Length)];
            var length = PageLz4Encoder.Encode(page, block);
            Assert.InRange(length, 1, block.Length);
            for (var room = 0; room <= block.Length; room++)
            {
                var destination = buffers.Block.At((room & 1) == 0, room);
                var made = PageLz4Encoder.Encode(page, destination);
                Assert.Equal(room < length ? 0 : length, made);
                Assert.True(made == 0 || destination[..made].SequenceEqual(block.AsSpan(0, length)),
                    $"{kind}: another block in {room} bytes");
            }
        }
    }

    /// <summary>
    /// A page that is longer than the one encoded is filled in part; a shorter one is an error, never an overrun.
    /// </summary>
    [Fact]
    public void A_page_of_any_size_is_kept_to()
    {
        using var buffers = new Buffers();
        foreach (var kind in SamplePages.Kinds)
        {
            var page = SamplePages.Make(kind, 4096, 8);
            var block = new byte[LZ4Codec.MaximumOutputSize(page.Length)];
            var length = PageLz4Encoder.Encode(page, block);
            for (var room = 0; room < 4200; room++)
            {
                var to = buffers.Out.At((room & 1) == 0, room);
                var made = PageLz4Decoder.Decode(block.AsSpan(0, length), to);
                Assert.Equal(room < page.Length ? -1 : page.Length, made);
                if (made > 0) Assert.True(to[..made].SequenceEqual(page), $"{kind} in {room} bytes");
            }
        }
    }

    /// <summary>
    /// Two earlier positions begin alike: the encoder copies from the one that matches longer, whether older or newer.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_longer_of_two_matches_is_taken(bool older)
    {
        const int Piece = 60;
        const int Pages = 24;
        var random = new Random(3);
        var sequences = 0;
        for (var start = 8; start < 8 + Pages; start++)
        {
            // Random bytes that contain a piece, its start, and the piece once more; or the start first. They are so near that
            // the encoder skips no position.
            var page = new byte[300];
            random.NextBytes(page);
            var piece = page.AsSpan(2, Piece).ToArray();
            if (!older) random.NextBytes(page.AsSpan(2 + start, Piece - start));
            piece.AsSpan(0, older ? start : Piece).CopyTo(page.AsSpan(64));
            piece.CopyTo(page.AsSpan(140));
            var block = new byte[512];
            var length = PageLz4Encoder.Encode(page, block);
            sequences += ModelDecoder.Sequences(block.AsSpan(0, length));
        }
        // The start, the whole, and the literals at the end. With the shorter of the two the whole takes two sequences; so it
        // does where another position happens to have the same table entry.
        Assert.InRange(sequences, 3 * Pages, 3 * Pages + Pages / 4);
    }

    /// <summary>
    /// After many misses the encoder skips positions; a match still extends back over the bytes before the place where it was
    /// found.
    /// </summary>
    [Fact]
    public void A_match_found_late_is_written_from_its_beginning()
    {
        var block = new byte[8192];
        for (var seed = 0; seed < 20; seed++)
        {
            var page = SamplePages.Make("half", 4096, seed);
            var length = PageLz4Encoder.Encode(page, block);
            // 2,048 literals with their lengths, one match of the other half, the last literals.
            Assert.InRange(length, 2048, 2048 + 9 + 3 + 8 + 6);
        }
    }

    /// <summary>The ratio is part of the encoder's purpose: no kind of page takes more than with the reference.</summary>
    [Theory]
    [InlineData("text")]
    [InlineData("structs")]
    [InlineData("pointers")]
    [InlineData("pattern")]
    [InlineData("runs")]
    [InlineData("half")]
    [InlineData("sparse")]
    public void Blocks_are_not_longer_than_the_references(string kind)
    {
        var block = new byte[8192];
        long own = 0, reference = 0;
        for (var seed = 0; seed < 100; seed++)
        {
            var page = SamplePages.Make(kind, 4096, seed);
            own += PageLz4Encoder.Encode(page, block);
            reference += LZ4Codec.Encode(page, block);
        }
        Assert.True(own <= reference, $"{own} bytes, {reference} by K4os");
    }

    [Fact]
    public void A_page_beyond_the_largest_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PageLz4Encoder.Encode(new byte[Largest + 1], new byte[2 * Largest]));

    [Theory]
    [InlineData(new byte[] { }, "empty")]
    [InlineData(new byte[] { 0x10 }, "the literal is missing")]
    [InlineData(new byte[] { 0xf0 }, "the length goes on and does not")]
    [InlineData(new byte[] { 0xf0, 255, 255 }, "the length goes on and does not")]
    [InlineData(new byte[] { 0x10, 65, 1 }, "half an offset")]
    [InlineData(new byte[] { 0x10, 65, 0, 0, 0x10, 65 }, "offset 0")]
    [InlineData(new byte[] { 0x10, 65, 2, 0, 0x10, 65 }, "before the start")]
    [InlineData(new byte[] { 0x00, 1, 0, 0x10, 65 }, "before the start, with nothing written")]
    [InlineData(new byte[] { 0x1f, 65, 1, 0 }, "the match length is missing")]
    [InlineData(new byte[] { 0x10, 65, 1, 0 }, "ends with a match")]
    [InlineData(new byte[] { 0x1f, 65, 1, 0, 255, 255, 255, 255, 0, 0x10, 65 }, "longer than the page")]
    public void A_malformed_block_is_an_error(byte[] block, string why)
    {
        var page = new byte[256];
        Assert.True(PageLz4Decoder.Decode(block, page) == -1, why);
        Assert.False(new PageLz4Codec().Decode(block, page), why);
    }

    private static void EveryPage(Coder encode, Coder decode)
    {
        using var buffers = new Buffers();
        foreach (var kind in SamplePages.Kinds)
            foreach (var size in s_sizes)
                for (var seed = 0; seed < 20; seed++)
                    buffers.RoundTrip(SamplePages.Make(kind, size, seed), encode, decode);
    }

    private sealed class Buffers : IDisposable
    {
        private readonly GuardedBuffer _in = new(Largest);
        private int _turn;

        public GuardedBuffer Block { get; } = new(LZ4Codec.MaximumOutputSize(Largest));
        public GuardedBuffer Out { get; } = new(Largest);

        /// <summary>Input and output lie at the guard pages, alternately before and behind.</summary>
        public void RoundTrip(byte[] page, Coder encode, Coder decode)
        {
            var turn = _turn++;
            var from = _in.At((turn & 1) == 0, page.Length);
            page.CopyTo(from);
            var bound = LZ4Codec.MaximumOutputSize(page.Length);
            var whole = Block.At((turn & 2) == 0, bound);
            var length = encode(from, whole);
            Assert.InRange(length, 1, bound);
            // A reader might overrun the block's end, so the end moves to the guard page.
            var block = whole[..length].ToArray();
            var tight = Block.AtEnd(length);
            block.CopyTo(tight);
            var to = Out.At((turn & 4) == 0, page.Length);
            to.Fill(0xa5);
            Assert.Equal(page.Length, decode(tight, to));
            Assert.True(to.SequenceEqual(page), $"a page of {page.Length} bytes came back changed");
        }

        public void Dispose()
        {
            _in.Dispose();
            Block.Dispose();
            Out.Dispose();
        }
    }
}
