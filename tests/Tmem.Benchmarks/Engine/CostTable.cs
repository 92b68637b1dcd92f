using Tmem.Benchmarks.Codec;
using Tmem.Benchmarks.Linux;
using Tmem.Engine;
using Tmem.Engine.Codec;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// <c>cost</c>: what the store adds to its codec. A put over an older page (a store in its steady state) and a get, beside the
/// codec's own encode and decode and a copy of the page, each once over all pages in every round.
/// </summary>
internal static unsafe class CostTable
{
    private const int Page = PageFile.PageSize;

    public static long Run(EngineBench bench)
    {
        var pages = bench.Corpus;
        using var packed = new PackedPages(pages.Count);
        using var room = new AnonymousMemory(2 * Page);
        using var store = new Store(2L * pages.Count * Page + (64 << 20), PoolFlags.Persistent);
        // Half of the pages fit; those of the first half of the numbers come again and again, others never.
        using var cache = new Store(pages.Count * Page / 5L, PoolFlags.Shared);
        long once = 1L << 40;
        Series returning = new(), newcomers = new();
        // The store's pool has the codec that a pool has when nothing is said.
        var codec = default(PoolOptions).Codec;
        var format = 0;
        Series fresh = new(), over = new(), get = new(), flush = new(), encode = new(), decode = new(), copy = new();
        for (var round = -EngineBench.WarmUp; round < bench.Rounds; round++)
        {
            fresh.Time(round, pages.Count, () => { for (var i = 0; i < pages.Count; i++) store.Put(i, pages[i]); });
            over.Time(round, pages.Count, () => { for (var i = 0; i < pages.Count; i++) store.Put(i, pages[i]); });
            get.Time(round, pages.Count, () =>
                { for (var i = 0; i < pages.Count; i++) store.Get(i, new Span<byte>(room.Page(0), Page)); });
            returning.Time(round, pages.Count, () => { for (var i = 0; i < pages.Count; i++) cache.Put(i, pages[i]); });
            newcomers.Time(round, pages.Count, () => { for (var i = 0; i < pages.Count; i++) cache.Put(once++, pages[i]); });
            encode.Time(round, pages.Count, () => Encode(codec, pages, room.Page(0)));
            if (round == -EngineBench.WarmUp) format = Pack(codec, pages, packed);
            decode.Time(round, pages.Count, () => Decode(packed, format, room.Page(0)));
            copy.Time(round, pages.Count, () =>
                { for (var i = 0; i < pages.Count; i++) pages[i].CopyTo(new Span<byte>(room.Page(0), Page)); });
            if (round == -EngineBench.WarmUp) for (var i = 0; i < pages.Count; i++) store.Check(i, pages[i]);
            flush.Time(round, pages.Count, () => { for (var i = 0; i < pages.Count; i++) store.Flush(i); });
            bench.Check();
        }

        Console.WriteLine(
            $"cost: ns a page, minimum / median of {bench.Rounds} rounds over {pages.Count} pages, codec '{codec}'");
        Console.WriteLine($"  put, new handle    {fresh,16}   (after a flush of all: spans come from the system again)");
        Console.WriteLine($"  put, over a page   {over,16}   codec's encode {encode,16}");
        Console.WriteLine(
            $"  put that evicts    {newcomers,16}   (ephemeral, a full store); of an evicted page {returning,16}");
        Console.WriteLine($"  get                {get,16}   codec's decode {decode,16}");
        Console.WriteLine($"  flush              {flush,16}   memcpy of 4 KiB{copy,16}");
        var own = encode.Median + decode.Median + copy.Median;
        bench.Verdict.AtMost("(put + get) / (encode + decode + memcpy)", (over.Median + get.Median) / own, 1.15);
        return store.Wrong + cache.Wrong;
    }

    private static void Encode(TmemCodec codec, PageFile pages, byte* room)
    {
        for (var i = 0; i < pages.Count; i++) PageCodecs.Encode(codec, pages[i], new Span<byte>(room, Page), out _);
    }

    private static int Pack(TmemCodec codec, PageFile pages, PackedPages packed)
    {
        var format = 0;
        for (var i = 0; i < pages.Count; i++)
            packed.Lengths[i] = PageCodecs.Encode(codec, pages[i], packed.Room(i)[..Page], out format);
        return format;
    }

    /// <summary>Pages that do not shrink are copied, as the store does.</summary>
    private static void Decode(PackedPages packed, int format, byte* room)
    {
        for (var i = 0; i < packed.Lengths.Length; i++)
        {
            if (packed.Lengths[i] != 0) PageCodecs.Decode(format, packed.Block(i), new Span<byte>(room, Page));
            else packed.Room(i)[..Page].CopyTo(new Span<byte>(room, Page));
        }
    }
}
