using K4os.Compression.LZ4;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Codec;

/// <summary>
/// Each encoded page in a place of its own, as in a store: decoding finds its input where memory put it, not in the cache.
/// </summary>
internal sealed unsafe class PackedPages(int pages) : IDisposable
{
    /// <summary>Bytes of a place: what a page that does not shrink may need.</summary>
    public static readonly int Bound = LZ4Codec.MaximumOutputSize(PageFile.PageSize);

    private readonly AnonymousMemory _memory = new((long)pages * Bound);

    public int[] Lengths { get; } = new int[pages];

    public byte* Pointer(int page) => _memory.Page(0) + (long)page * Bound;

    public Span<byte> Room(int page) => new(Pointer(page), Bound);

    public ReadOnlySpan<byte> Block(int page) => new(Pointer(page), Lengths[page]);

    public void Dispose() => _memory.Dispose();
}
