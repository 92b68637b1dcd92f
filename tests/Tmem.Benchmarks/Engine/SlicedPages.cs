using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Engine;

/// <summary>
/// Pages for stores of millions: a slice of a real page and then zeros, so that 8 million take 2 GiB and not 13. There are few
/// different ones and they stay in the cache, so what grows with the store is the store's own cost. Their codec time is a
/// fraction of a real page's, which makes any growth show more than it would with real pages.
/// </summary>
internal sealed unsafe class SlicedPages : IDisposable
{
    private const int Different = 61;
    private const int Slice = 384;
    private readonly AnonymousMemory? _memory;
    private readonly PageFile _corpus;

    /// <param name="corpus">Where the slices come from.</param>
    /// <param name="whole">No slices: the corpus pages as they are.</param>
    public SlicedPages(PageFile corpus, bool whole)
    {
        _corpus = corpus;
        if (whole) return;
        _memory = new AnonymousMemory(Different * PageFile.PageSize);
        for (var i = 0; i < Different; i++)
            corpus[i % corpus.Count].Slice(1024, Slice).CopyTo(new Span<byte>(_memory.Page(i), Slice));
    }

    /// <summary>What they are, for the table's head.</summary>
    public string Name => _memory is null ? "corpus pages" : $"{Slice} bytes of a corpus page and zeros";

    public ReadOnlySpan<byte> this[long number] => _memory is null
        ? _corpus[(int)(number % _corpus.Count)]
        : new(_memory.Page(number % Different), PageFile.PageSize);

    public void Dispose() => _memory?.Dispose();
}
