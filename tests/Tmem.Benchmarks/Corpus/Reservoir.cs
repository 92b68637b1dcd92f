namespace Tmem.Benchmarks.Corpus;

/// <summary>
/// A fair sample of one source's pages: each page offered has the same chance to stay, however many come (reservoir sampling).
/// Zero pages are counted and left out, because every store keeps them for nothing; duplicates stay as they come.
/// </summary>
internal sealed class Reservoir(string name, int capacity, Random random)
{
    private readonly List<byte[]> _pages = [];

    public string Name => name;

    /// <summary>Pages offered that hold something.</summary>
    public long Seen { get; private set; }

    /// <summary>Pages offered that were all zeros.</summary>
    public long Zero { get; private set; }

    public IReadOnlyList<byte[]> Pages => _pages;

    public void Offer(ReadOnlySpan<byte> page)
    {
        if (!page.ContainsAnyExcept((byte)0))
        {
            Zero++;
            return;
        }
        Seen++;
        if (_pages.Count < capacity)
        {
            _pages.Add(page.ToArray());
            return;
        }
        var place = random.NextInt64(Seen);
        if (place < capacity) page.CopyTo(_pages[(int)place]);
    }
}
