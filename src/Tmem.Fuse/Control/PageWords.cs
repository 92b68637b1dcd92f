using Tmem.Engine;
using Tmem.Fuse.Filesystem;

namespace Tmem.Fuse.Control;

/// <summary>One of the engine's sentences about what is damaged, in the terms of the file system.</summary>
/// <param name="File">The file of the page that it is about (<see cref="IPoolDirectory.FileOf"/>); null if of none.</param>
/// <param name="Text">The sentence, with a page's number, offset and file in the place of its handle.</param>
internal readonly record struct PageWords(string? File, string Text)
{
    /// <param name="sentences">The engine's; those about a page begin with its handle.</param>
    /// <param name="pages">The pages that they are about.</param>
    /// <param name="directory">Maps a page to its file.</param>
    public static IEnumerable<PageWords> Of(
        IEnumerable<string> sentences, IEnumerable<PageHandle> pages, IPoolDirectory directory)
    {
        var known = pages.Distinct().ToDictionary(page => page.ToString(), page => (page.Index, File: directory.FileOf(page)));
        return sentences.Select(sentence =>
        {
            var end = sentence.IndexOf('>', StringComparison.Ordinal) + 1;
            if (end == 0 || !known.TryGetValue(sentence[..end], out var page)) return new PageWords(null, sentence);
            var offset = (ulong)page.Index << FilePages.PageShift;
            return new(page.File, $"page {page.Index} (bytes from {offset} on) of {page.File}{sentence[end..]}");
        });
    }
}
