using K4os.Compression.LZ4;
using Tmem.Engine.Codec;

namespace Tmem.Benchmarks.Codec;

/// <summary>
/// A codec under measurement, by whole passes over the corpus: the call of a page is direct, as the engine's is.
/// </summary>
internal abstract unsafe class Subject(string name)
{
    public string Name => name;

    /// <summary>Nanoseconds a page, one entry a round.</summary>
    public List<double> EncodeTimes { get; } = [];

    /// <summary>Nanoseconds a page, one entry a round.</summary>
    public List<double> DecodeTimes { get; } = [];

    /// <summary>Bytes of all blocks, and of all with those that did not shrink kept raw.</summary>
    public long Bytes { get; set; }
    public long Stored { get; set; }
    public int Raw { get; set; }

    /// <summary>Encodes every page to its place.</summary>
    public abstract void Encode(PageFile pages, PackedPages packed);

    /// <summary>Decodes every place to the one page; how many did not give a page.</summary>
    public abstract int Decode(PackedPages packed, byte* page);
}

/// <summary>The encoder and decoder of this project.</summary>
internal sealed unsafe class PageSubject() : Subject("page codec")
{
    public override void Encode(PageFile pages, PackedPages packed)
    {
        for (var page = 0; page < pages.Count; page++)
            packed.Lengths[page] = PageLz4Encoder.Encode(pages[page], packed.Room(page));
    }

    public override int Decode(PackedPages packed, byte* page)
    {
        var wrong = 0;
        for (var number = 0; number < packed.Lengths.Length; number++)
            if (PageLz4Decoder.Decode(packed.Block(number), new Span<byte>(page, PageFile.PageSize)) != PageFile.PageSize)
                wrong++;
        return wrong;
    }
}

/// <summary>K4os.Compression.LZ4, the managed reference.</summary>
internal sealed unsafe class K4osSubject() : Subject("K4os L00_FAST")
{
    public override void Encode(PageFile pages, PackedPages packed)
    {
        for (var page = 0; page < pages.Count; page++)
            packed.Lengths[page] = LZ4Codec.Encode(
                pages.Pointer(page), PageFile.PageSize, packed.Pointer(page), PackedPages.Bound, LZ4Level.L00_FAST);
    }

    public override int Decode(PackedPages packed, byte* page)
    {
        var wrong = 0;
        for (var number = 0; number < packed.Lengths.Length; number++)
            if (LZ4Codec.Decode(packed.Pointer(number), packed.Lengths[number], page, PageFile.PageSize) != PageFile.PageSize)
                wrong++;
        return wrong;
    }
}

/// <summary>The system's liblz4.</summary>
internal sealed unsafe class NativeSubject() : Subject($"liblz4 {NativeLz4.Version} default")
{
    public override void Encode(PageFile pages, PackedPages packed)
    {
        for (var page = 0; page < pages.Count; page++)
            packed.Lengths[page] = NativeLz4.LZ4_compress_default(pages.Pointer(page), packed.Pointer(page), PageFile.PageSize,
                PackedPages.Bound);
    }

    public override int Decode(PackedPages packed, byte* page)
    {
        var wrong = 0;
        for (var number = 0; number < packed.Lengths.Length; number++)
            if (NativeLz4.LZ4_decompress_safe(packed.Pointer(number), page, packed.Lengths[number],
                PageFile.PageSize) != PageFile.PageSize) wrong++;
        return wrong;
    }
}
