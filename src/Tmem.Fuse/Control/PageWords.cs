using Tmem.Engine;
using Tmem.Fuse.Filesystem;

namespace Tmem.Fuse.Control;

/// <summary>Adds the files of pages to the engine's sentences about them.</summary>
internal static class PageWords
{
    /// <param name="sentences">The engine's; those about a page begin with its handle.</param>
    /// <param name="pages">The pages that they are about.</param>
    /// <param name="directory">Maps a page to its file.</param>
    public static IEnumerable<string> Of(
        IEnumerable<string> sentences, IEnumerable<PageHandle> pages, IPoolDirectory directory)
    {
        var known = pages.Distinct().ToDictionary(page => page.ToString(), page => directory.Describe(page));
        return sentences.Select(sentence => InWords(sentence, known));
    }

    private static string InWords(string sentence, Dictionary<string, string> known)
    {
        var end = sentence.IndexOf('>', StringComparison.Ordinal) + 1;
        return end > 0 && known.TryGetValue(sentence[..end], out var words) ? words + sentence[end..] : sentence;
    }
}
