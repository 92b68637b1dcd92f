using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Control;
using Tmem.Fuse.Filesystem;

namespace Tmem.Fuse.Daemon;

/// <summary>What a start found damaged, and what became of it, as lines of the log.</summary>
internal static class DamageWords
{
    private const int MostPages = 100;

    public static IEnumerable<string> Of(
        TmemEngine engine, TmemFileSystem fileSystem, string region, ControlCommand tmemctl)
    {
        var pages = PageWords.Of(engine.Dropped.Take(MostPages), engine.DroppedPages.Take(MostPages), fileSystem);
        foreach (var page in pages) yield return $"damage in {region}, dropped: {page.Text}";
        if (engine.DroppedCount > MostPages) yield return $"damage in {region}, dropped: {engine.DroppedCount - MostPages} more";
        var damage = fileSystem.Damage;
        foreach (var sentence in damage.Sentences.Concat(damage.FoundAgain)) yield return $"damage in {region}: {sentence}";
        if (!damage.Any) yield break;
        // What was dropped or made anew is found by no check.
        var rest = engine.DropsDamaged ? "; what was damaged is dropped"
            : damage.Mended.Count == damage.Count ? "; all of it is mended"
            : $"; '{tmemctl.Line("check")}' names what is still damaged";
        var records = damage.Count == 1 ? "1 damaged record" : $"{damage.Count} damaged records";
        yield return $"damage in {region}: {records} of the file system{rest}";
    }
}
