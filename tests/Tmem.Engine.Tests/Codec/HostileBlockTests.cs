using K4os.Compression.LZ4;
using Tmem.Engine.Codec;

namespace Tmem.Engine.Tests.Codec;

/// <summary>
/// Blocks that no encoder made, decoded between guard pages: for every block the answer is a length within the page or -1, and
/// nothing outside the two buffers is touched. TMEM_FUZZ_BLOCKS sets how many (300,000 by default).
/// </summary>
public sealed class HostileBlockTests
{
    private const int LongestPage = 8192;
    private readonly byte[][] _blocks = Blocks();
    private readonly byte[] _model = new byte[LongestPage];

    [Fact]
    public void No_block_reaches_outside_the_buffers()
    {
        var setting = Environment.GetEnvironmentVariable("TMEM_FUZZ_BLOCKS");
        long count = 300_000;
        if (!string.IsNullOrEmpty(setting) && !(long.TryParse(setting, out count) && count > 0))
            throw new InvalidOperationException($"TMEM_FUZZ_BLOCKS is '{setting}', not a number of blocks such as 10000000.");
        using var input = new GuardedBuffer(2 * LongestPage);
        using var output = new GuardedBuffer(LongestPage);
        var random = new Random(20260917);
        long taken = 0, refused = 0;
        for (long number = 0; number < count; number++)
        {
            var block = Mutate(random, input);
            // Mostly the room that the valid block would need, so that long walks through it happen near the end.
            var room = random.Next(4) == 0 ? random.Next(LongestPage) : random.Next(2) == 0 ? 4096 : 4096 + random.Next(64);
            var page = output.At(random.Next(4) == 0, room);
            var length = PageLz4Decoder.Decode(block, page);
            var expected = ModelDecoder.Decode(block, _model.AsSpan(0, room));
            if (length != expected || (length > 0 && !page[..length].SequenceEqual(_model.AsSpan(0, length))))
                Assert.Fail($"block {number}: {length} where the model says {expected}; {Convert.ToHexString(block)}");
            if (length < 0) refused++;
            else taken++;
        }
        // Mutations of both outcomes, or the fuzzer explores one path alone.
        Assert.True(taken > count / 100 && refused > count / 100, $"{taken} taken, {refused} refused");
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{count} blocks: {taken} decoded as the model did, {refused} refused as it did");
    }

    private Span<byte> Mutate(Random random, GuardedBuffer buffer)
    {
        if (random.Next(16) == 0)
        {
            var noise = buffer.AtEnd(random.Next(200));
            random.NextBytes(noise);
            return noise;
        }
        var source = _blocks[random.Next(_blocks.Length)];
        var kind = random.Next(6);
        var keep = kind == 0 ? random.Next(source.Length) : source.Length;
        var extra = kind == 1 ? random.Next(1, 40) : 0;
        // Usually at the end, where an overrun is a fault; sometimes at the start, to catch reads before it.
        var block = buffer.At(random.Next(8) == 0, keep + extra);
        source.AsSpan(0, keep).CopyTo(block);
        random.NextBytes(block[keep..]);
        if (block.Length == 0) return block;
        for (var times = kind < 2 ? 0 : 1 << random.Next(5); times > 0; times--)
        {
            var at = random.Next(block.Length);
            block[at] = kind switch
            {
                2 => (byte)(block[at] ^ 1 << random.Next(8)),
                3 => (byte)random.Next(256),
                4 => 255,
                _ => 0,
            };
        }
        return block;
    }

    private static byte[][] Blocks()
    {
        var blocks = new List<byte[]>();
        foreach (var kind in SamplePages.Kinds)
            for (var seed = 0; seed < 12; seed++)
            {
                // Short pages too: in these, every copy is near an end.
                var page = SamplePages.Make(kind, seed % 3 == 0 ? 4096 : seed * 29, seed);
                var block = new byte[LZ4Codec.MaximumOutputSize(page.Length)];
                blocks.Add(block[..PageLz4Encoder.Encode(page, block)]);
                if (page.Length > 0) blocks.Add(block[..LZ4Codec.Encode(page, block)]);
            }
        return [.. blocks];
    }
}
