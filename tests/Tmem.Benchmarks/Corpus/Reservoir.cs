namespace Tmem.Benchmarks.Corpus;

/// <summary>
/// A fair sample of one source's pages: each page offered has the same chance to stay, however many come (reservoir sampling).
/// Zero pages are counted and left out, because every store keeps them for nothing; duplicates stay as they come.
/// <para>In order, the unit is a run of <see cref="Run"/> pages as the process has them, zero pages left out: neighbours stay
/// neighbours, and runs stand in the order of their addresses.</para>
/// </summary>
internal sealed class Reservoir(string name, int capacity, Random random, bool ordered = false)
{
    /// <summary>Pages of a run: 256 KiB.</summary>
    public const int Run = 64;

    private readonly List<byte[]> _pages = [];
    private readonly List<(long At, List<byte[]> Pages)> _runs = [];
    private List<byte[]> _run = [];

    public string Name => name;

    /// <summary>Pages offered that hold something.</summary>
    public long Seen { get; private set; }

    /// <summary>Pages offered that were all zeros.</summary>
    public long Zero { get; private set; }

    public IReadOnlyList<byte[]> Pages =>
        ordered ? [.. _runs.OrderBy(run => run.At).SelectMany(run => run.Pages)] : _pages;

    public void Offer(ReadOnlySpan<byte> page)
    {
        if (!page.ContainsAnyExcept((byte)0))
        {
            Zero++;
            return;
        }
        Seen++;
        if (ordered)
        {
            OfferInOrder(page);
            return;
        }
        if (_pages.Count < capacity)
        {
            _pages.Add(page.ToArray());
            return;
        }
        var place = random.NextInt64(Seen);
        if (place < capacity) page.CopyTo(_pages[(int)place]);
    }

    private void OfferInOrder(ReadOnlySpan<byte> page)
    {
        _run.Add(page.ToArray());
        if (_run.Count < Run) return;
        var number = Seen / Run;
        if (_runs.Count < capacity / Run) _runs.Add((number, _run));
        else if (random.NextInt64(number) is var place && place < _runs.Count) _runs[(int)place] = (number, _run);
        _run = [];
    }
}
