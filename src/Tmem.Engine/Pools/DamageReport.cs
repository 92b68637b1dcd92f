namespace Tmem.Engine.Pools;

/// <summary>What an attach does with damage: refuse the region, or note it and go on without what is damaged.</summary>
internal sealed class DamageReport(string region, bool drop)
{
    private const int MaximumSentences = 10_000;
    private readonly List<string> _sentences = [];
    private readonly List<PageHandle> _pages = [];

    /// <summary>Whether what is damaged is to be dropped.</summary>
    public bool Drops => drop;

    /// <summary>Damages found.</summary>
    public long Count { get; private set; }

    /// <summary>One sentence each, of the first ten thousand.</summary>
    public IReadOnlyList<string> Sentences => _sentences;

    /// <summary>The pages, or first pages, that sentences begin with.</summary>
    public IReadOnlyList<PageHandle> Pages => _pages;

    /// <summary>Notes a damage to a page, or from a page on: the sentence begins with it.</summary>
    /// <exception cref="RegionException">As the other.</exception>
    public void Found(in PageHandle page, string what)
    {
        Found($"{page}{what}");
        if (_pages.Count < MaximumSentences) _pages.Add(page);
    }

    /// <summary>Notes a damage, if there is leave to drop what is damaged.</summary>
    /// <exception cref="RegionException">There is not.</exception>
    public void Found(string what)
    {
        if (!drop) throw new RegionException(
            $"{region} is damaged: {what}; see which files it costs (tmemd --check-region), restore it from a copy, or open it "
            + "with leave to drop what is damaged (tmemd --drop-damaged)");
        Count++;
        if (_sentences.Count < MaximumSentences) _sentences.Add(what);
    }
}
