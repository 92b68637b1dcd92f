using Tmem.Engine.Codec;

namespace Tmem.Engine.Tests.Codec;

/// <summary>
/// Every codec that a pool can choose, between guard pages: what it stores comes back, and malformed pages are refused.
/// </summary>
public sealed class PageCodecsTests
{
    private const int Largest = 65536;
    private static readonly int[] s_sizes = [4096, 8192, 16384, 32768, 65536];

    public static TheoryData<TmemCodec> Codecs => [.. Enum.GetValues<TmemCodec>()];

    [Theory]
    [MemberData(nameof(Codecs))]
    public void Every_page_of_every_size_comes_back(TmemCodec codec)
    {
        using var input = new GuardedBuffer(Largest);
        using var packed = new GuardedBuffer(Largest);
        using var output = new GuardedBuffer(Largest);
        foreach (var kind in SamplePages.Kinds)
            foreach (var size in s_sizes)
                for (var seed = 0; seed < 8; seed++)
                {
                    var page = input.At((seed & 1) == 0, size);
                    SamplePages.Make(kind, size, seed).CopyTo(page);
                    var room = packed.AtEnd(size);
                    var length = PageCodecs.Encode(codec, page, room, out var format);
                    Assert.True(length > 0 || kind == "random" || kind == "runs", $"{kind} of {size} bytes did not shrink");
                    if (length == 0) continue;
                    var block = room[..length].ToArray();
                    var tight = packed.AtEnd(length);
                    block.CopyTo(tight);
                    var back = output.At((seed & 2) == 0, size);
                    Assert.True(PageCodecs.Decode(format, tight, back));
                    Assert.True(back.SequenceEqual(page), $"{kind} of {size} bytes came back changed");
                    // Format and length of a page leave no choice of page size: another one is refused.
                    Assert.False(PageCodecs.Decode(format, tight, output.AtEnd(size - 8)));
                    if (size < Largest) Assert.False(PageCodecs.Decode(format, tight, output.AtEnd(size + 8)));
                    // A destination a byte too short is refused.
                    Assert.Equal(0, PageCodecs.Encode(codec, page, packed.AtEnd(length - 1), out _));
                }
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void A_damaged_block_never_reaches_outside_the_buffers(TmemCodec codec)
    {
        using var packed = new GuardedBuffer(8192);
        using var output = new GuardedBuffer(4096);
        var random = new Random(20261123);
        int taken = 0, refused = 0;
        for (var round = 0; round < 30_000; round++)
        {
            var page = SamplePages.Make(SamplePages.Kinds[random.Next(SamplePages.Kinds.Length)], 4096, round % 50);
            var block = new byte[8192];
            var length = PageCodecs.Encode(codec, page, block, out var format);
            var damaged = packed.AtEnd(random.Next(4) == 0 ? random.Next(1, length + 1) : length);
            block.AsSpan(0, damaged.Length).CopyTo(damaged);
            for (var times = 1 << random.Next(4); times > 0; times--)
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            if (PageCodecs.Decode(format, damaged, output.At((round & 1) == 0, 4096))) taken++;
            else refused++;
        }
        // Both outcomes: a block that still decodes is left to the checksum.
        Assert.True(taken > 100 && refused > 100, $"{taken} taken, {refused} refused");
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void Nothing_managed_is_allocated(TmemCodec codec)
    {
        var pages = SamplePages.Kinds.Select(kind => SamplePages.Make(kind, Largest, 1)).ToArray();
        var packed = new byte[2 * Largest];
        var back = new byte[Largest];
        Run(200);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run(2000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run(int rounds)
        {
            for (var i = 0; i < rounds; i++)
            {
                var size = s_sizes[i % s_sizes.Length];
                var page = pages[i % pages.Length].AsSpan(0, size);
                var length = PageCodecs.Encode(codec, page, packed, out var format);
                PageCodecs.Decode(format, packed.AsSpan(0, length), back.AsSpan(0, size));
                PageCodecs.Encode(codec, page, packed.AsSpan(0, 5), out _);
                PageCodecs.Decode(format, packed.AsSpan(0, length / 2), back.AsSpan(0, size));
            }
        }
    }

    [Fact]
    public void Both_lz_4_codecs_read_each_other()
    {
        var page = SamplePages.Make("text", 4096, 1);
        var block = new byte[4096];
        var back = new byte[4096];
        var length = default(Lz4Codec).Encode(page, block);
        Assert.True(default(PageLz4Codec).Decode(block.AsSpan(0, length), back));
        Assert.Equal(page, back);
        length = default(PageLz4Codec).Encode(page, block);
        Assert.True(default(Lz4Codec).Decode(block.AsSpan(0, length), back));
        Assert.Equal(page, back);
        Assert.Equal(Format<Lz4Codec>(), Format<PageLz4Codec>());
        static int Format<T>() where T : struct, ICodec => T.Format;
    }

    [Fact]
    public void Every_codec_has_a_name_of_its_own()
    {
        var names = Enum.GetValues<TmemCodec>().Select(codec => codec.Name()).ToList();
        Assert.Equal(["lz4", "lz4-reference", "zstd"], names);
        Assert.Throws<ArgumentOutOfRangeException>(() => ((TmemCodec)3).Name());
    }
}
