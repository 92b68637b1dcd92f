using Tmem.Engine.Codec;
using Tmem.Engine.Tests.Recompress;

namespace Tmem.Engine.Tests.Codec;

/// <summary>
/// Frames that no encoder made, unpacked with a dictionary between guard pages. A page with a dictionary has a checksum over the
/// page and not over its stored bytes, so what is damaged meets the decoder: for every frame it answers, and touches nothing
/// outside the two buffers. TMEM_FUZZ_BLOCKS sets how many (100,000 by default).
/// </summary>
public sealed unsafe class HostileFrameTests
{
    private const int Page = 4096;

    [Fact]
    public void No_frame_reaches_outside_the_buffers()
    {
        var setting = Environment.GetEnvironmentVariable("TMEM_FUZZ_BLOCKS");
        var count = string.IsNullOrEmpty(setting) ? 100_000
            : long.Parse(setting, System.Globalization.CultureInfo.InvariantCulture);
        var sample = Enumerable.Range(0, 200).SelectMany(i => Cold.Words(i)).ToArray();
        using var content = new GuardedBuffer(16 << 10);
        var room = content.AtEnd(16 << 10);
        var length = ZstdTrainer.Train(sample, Page, room, 6);
        Assert.True(length > 0);
        fixed (byte* start = room)
        {
            using var dictionary = ZstdDictionary.Over(start, length)!;
            Assert.True(dictionary.Digest(6, Page));
            var frames = Frames(dictionary);
            using var input = new GuardedBuffer(2 * Page);
            using var output = new GuardedBuffer(Page);
            var random = new Random(1);
            long taken = 0;
            for (long number = 0; number < count; number++)
            {
                var source = frames[random.Next(frames.Length)];
                var cut = random.Next(6) == 0 ? random.Next(1, source.Length) : source.Length;
                var frame = input.At(random.Next(8) == 0, cut);
                source.AsSpan(0, cut).CopyTo(frame);
                for (var flips = random.Next(1, 5); flips > 0; flips--)
                    frame[random.Next(3) == 0 ? random.Next(Math.Min(cut, 24)) : random.Next(cut)] ^= (byte)(1 << random.Next(8));
                if (dictionary.Decode(frame, output.AtEnd(Page))) taken++;
            }
            // Some damage still gives a page: another one, which its checksum tells.
            Assert.True(taken > count / 1000 && taken < count * 9 / 10, $"{taken} of {count} unpacked");
        }
    }

    private static byte[][] Frames(ZstdDictionary dictionary)
    {
        using var packer = new ZstdPacker();
        var room = new byte[Page];
        return [.. Enumerable.Range(0, 200).Select(i =>
        {
            var page = i % 3 == 0 ? Pages.Text(i) : Cold.Words(1000 + i);
            var packed = packer.Encode(dictionary, page, room);
            Assert.True(packed > 0);
            Assert.Equal(ZstdPacker.FrameDescriptor, room[0]);
            var back = new byte[Page];
            Assert.True(dictionary.Decode(room.AsSpan(0, packed), back));
            Assert.Equal(page, back);
            return room[..packed];
        })];
    }
}
