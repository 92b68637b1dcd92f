namespace Tmem.Engine.Pools;

/// <summary>An attach's policy on damage: refuse the region, or note the damage and drop what is damaged.</summary>
internal sealed class DamageReport(string region, bool drop)
{
    private const int MaximumSentences = 10_000;
    private readonly List<string> _sentences = [];
    private readonly List<PageHandle> _pages = [];

    /// <summary>Whether what is damaged is to be dropped.</summary>
    public bool Drops => drop;

    /// <summary>The number of damages found.</summary>
    public long Count { get; private set; }

    /// <summary>One sentence each, of the first ten thousand.</summary>
    public IReadOnlyList<string> Sentences => _sentences;

    /// <summary>The pages, or first pages, that sentences begin with.</summary>
    public IReadOnlyList<PageHandle> Pages => _pages;

    /// <summary>Notes damage to a page, or from a page on: the sentence begins with it.</summary>
    /// <exception cref="RegionException">As for <see cref="Found(string)"/>.</exception>
    public void Found(in PageHandle page, string what)
    {
        Found($"{page}{what}");
        if (_pages.Count < MaximumSentences) _pages.Add(page);
    }

    /// <summary>Notes damage, if damaged parts may be dropped.</summary>
    /// <exception cref="RegionException">They may not.</exception>
    public void Found(string what)
    {
        if (!drop) throw new RegionException(
            $"{region} is damaged: {what}; see which files it costs (tmemd --check-region), restore it from a copy, or open it "
            + "with leave to drop what is damaged (tmemd --drop-damaged)");
        Count++;
        if (_sentences.Count < MaximumSentences) _sentences.Add(what);
    }
}
