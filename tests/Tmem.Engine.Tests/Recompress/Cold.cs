using Tmem.Engine.Recompress;

namespace Tmem.Engine.Tests.Recompress;

/// <summary>Engines that recompress when they are told to, and pages that a dictionary makes much smaller.</summary>
internal static class Cold
{
    /// <summary>Little is needed for a dictionary.</summary>
    public static readonly RecompressionSettings Settings = new()
    {
        DictionaryBytes = 8 << 10, SampleBytes = 512 << 10, FewestSampleBytes = 128 << 10, BetweenTries = TimeSpan.Zero,
    };

    public static EngineOptions Options(long capacity = 64 * Engines.Mebi) => new()
    {
        CapacityBytes = capacity, CompactInBackground = false, RecompressesWhenAsked = true, Recompression = Settings,
    };

    public static TmemEngine Engine(long capacity = 64 * Engines.Mebi) => TmemEngine.Open(Options(capacity));

    /// <summary>A page of words out of a few hundred, as in a text: half of LZ4's size with a dictionary.</summary>
    public static byte[] Words(int seed, int size = Pages.Size)
    {
        var random = new Random(seed);
        var page = new byte[size];
        for (var at = 0; at < size;)
        {
            var word = s_words[Math.Min(random.Next(s_words.Length), random.Next(s_words.Length))];
            word.AsSpan(0, Math.Min(word.Length, size - at)).CopyTo(page.AsSpan(at));
            at += word.Length;
        }
        return page;
    }

    public static void Fill(TmemClient client, PoolId pool, int from, int count, int size = Pages.Size)
    {
        for (var i = from; i < from + count; i++)
            Assert.Equal(TmemStatus.Ok, client.Put(pool, new ObjectId(1), (uint)i, Words(i, size)));
    }

    public static void AssertHeld(TmemClient client, PoolId pool, int from, int count, int size = Pages.Size)
    {
        var page = new byte[size];
        for (var i = from; i < from + count; i++)
        {
            Assert.Equal(TmemStatus.Ok, client.Get(pool, new ObjectId(1), (uint)i, page));
            Assert.True(Words(i, size).AsSpan().SequenceEqual(page), $"page {i} is another");
        }
    }

    /// <summary>One pass over all slots.</summary>
    public static void Pass(TmemEngine engine)
    {
        while (engine.Recompressor!.Step(1000)) { }
    }

    /// <summary>So many that a page which nobody uses has become cold.</summary>
    public static void Settle(TmemEngine engine)
    {
        for (var i = 0; i < 3; i++) Pass(engine);
    }

    private static readonly byte[][] s_words = [.. Enumerable.Range(0, 600).Select(MakeWord)];

    private static byte[] MakeWord(int number)
    {
        var random = new Random(number);
        var word = new byte[random.Next(3, 12)];
        for (var i = 0; i < word.Length; i++) word[i] = (byte)('a' + Math.Min(random.Next(26), random.Next(26)));
        word[^1] = (byte)' ';
        return word;
    }
}
