using System.Buffers.Binary;
using System.Text;

namespace Tmem.Engine.Tests.Codec;

/// <summary>Pages of typical kinds of memory, by kind and seed, of any length.</summary>
internal static class SamplePages
{
    public static readonly string[] Kinds =
        ["zero", "filled", "pattern", "sparse", "text", "structs", "pointers", "random", "half", "runs"];

    private static readonly string[] s_words =
        ("the page was put into a pool of the store and a handle names it when memory is short evict flush return "
        + "status error static int void").Split(' ');

    public static byte[] Make(string kind, int bytes, int seed)
    {
        var random = new Random(seed);
        var page = new byte[bytes];
        switch (kind)
        {
            case "zero": break;
            case "filled": page.AsSpan().Fill((byte)random.Next(256)); break;
            case "pattern": Pattern(page, random.Next(2, 40), random); break;
            case "sparse": for (var i = 0; i < bytes / 100; i++) page[random.Next(bytes)] = (byte)random.Next(256); break;
            case "text": Text(page, random); break;
            case "structs": Structs(page, random); break;
            case "pointers": Pointers(page, random); break;
            case "random": random.NextBytes(page); break;
            case "half": random.NextBytes(page.AsSpan(0, bytes / 2)); page.AsSpan(0, bytes / 2)
                .CopyTo(page.AsSpan(bytes / 2)); break;
            case "runs": Runs(page, random); break;
            default: throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such kind of page");
        }
        return page;
    }

    private static void Pattern(Span<byte> page, int period, Random random)
    {
        random.NextBytes(page[..Math.Min(period, page.Length)]);
        for (var i = period; i < page.Length; i++) page[i] = page[i - period];
    }

    private static void Text(Span<byte> page, Random random)
    {
        var text = new StringBuilder();
        while (text.Length < page.Length)
            text.Append(s_words[random.Next(s_words.Length)]).Append(random.Next(9) == 0 ? ".\n" : " ");
        Encoding.ASCII.GetBytes(text.ToString(0, page.Length), page);
    }

    private static void Structs(Span<byte> page, Random random)
    {
        for (var at = 0; at + 24 <= page.Length; at += 24)
        {
            BinaryPrimitives.WriteInt32LittleEndian(page[at..], at);
            BinaryPrimitives.WriteInt64LittleEndian(page[(at + 8)..], random.Next(5));
            BinaryPrimitives.WriteInt32LittleEndian(page[(at + 16)..], random.Next(1 << 20));
        }
    }

    private static void Pointers(Span<byte> page, Random random)
    {
        for (var at = 0; at + 8 <= page.Length; at += 8)
            BinaryPrimitives.WriteInt64LittleEndian(page[at..], random.Next(3) == 0 ? 0
                : 0x7f3a_0000_0000 + random.Next(1 << 12) * 16);
    }

    // Literal runs and matches of every length around the limits of the fields, and of several extension bytes.
    private static void Runs(Span<byte> page, Random random)
    {
        for (var at = 0; at < page.Length;)
        {
            var run = random.Next(4) switch
            {
                0 => random.Next(1, 24),
                1 => random.Next(14, 40),
                2 => random.Next(250, 300),
                _ => random.Next(1, 900),
            };
            run = Math.Min(run, page.Length - at);
            if (at == 0 || random.Next(2) == 0) random.NextBytes(page.Slice(at, run));
            else
            {
                var distance = random.Next(1, Math.Min(at, random.Next(2) == 0 ? 20 : 65535) + 1);
                for (var i = at; i < at + run; i++) page[i] = page[i - distance];
            }
            at += run;
        }
    }
}
