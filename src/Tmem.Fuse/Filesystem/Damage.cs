namespace Tmem.Fuse.Filesystem;

/// <summary>What was found damaged: how much, and a sentence for each of the first hundred.</summary>
internal sealed class Damage
{
    public const int MaximumSentences = 100;

    private readonly List<string> _sentences = [];
    private readonly List<string> _mended = [];

    public long Count { get; private set; }

    public bool Any => Count > 0;

    public IReadOnlyList<string> Sentences => _sentences;

    /// <summary>Those of the sentences whose damage is mended: a verification will not find it.</summary>
    public IReadOnlyList<string> Mended => _mended;

    public void Note(string sentence)
    {
        Count++;
        if (_sentences.Count < MaximumSentences) _sentences.Add(sentence);
    }

    public void NoteMended(string sentence)
    {
        Note(sentence);
        if (_mended.Count < MaximumSentences) _mended.Add(sentence);
    }
}
