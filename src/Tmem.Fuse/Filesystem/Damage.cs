namespace Tmem.Fuse.Filesystem;

/// <summary>
/// What was found damaged: how much, and a sentence for each of the first. Sentences are made when all names are known that are
/// to be known: see <see cref="Settle"/>.
/// </summary>
/// <param name="most">Sentences of a kind.</param>
internal sealed class Damage(int most = Damage.MaximumSentences)
{
    public const int MaximumSentences = 100;

    private readonly List<Func<string>> _noted = [];
    private readonly List<Func<string>> _found = [];
    private readonly List<string> _sentences = [];
    private readonly List<string> _mended = [];
    private readonly List<string> _foundAgain = [];

    public long Count { get; private set; }

    public bool Any => Count > 0;

    public IReadOnlyList<string> Sentences => _sentences;

    /// <summary>The sentences whose damage has been repaired: a later verification does not find it.</summary>
    public IReadOnlyList<string> Mended => _mended;

    /// <summary>What became of those that lost their names: no damage of its own.</summary>
    public IReadOnlyList<string> FoundAgain => _foundAgain;

    public void Note(string sentence) => Note(() => sentence);

    public void Note(Func<string> sentence)
    {
        Count++;
        if (_noted.Count < most) _noted.Add(sentence);
    }

    public void NoteMended(string sentence)
    {
        Note(sentence);
        if (_mended.Count < most) _mended.Add(sentence);
    }

    public void NoteFoundAgain(Func<string> sentence)
    {
        if (_found.Count < most) _found.Add(sentence);
    }

    /// <summary>Makes the sentences of what was noted.</summary>
    public void Settle()
    {
        _sentences.AddRange(_noted.Skip(_sentences.Count).Select(sentence => sentence()));
        _foundAgain.AddRange(_found.Skip(_foundAgain.Count).Select(sentence => sentence()));
    }
}
