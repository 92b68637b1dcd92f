using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Control;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Keeper;

namespace Tmem.Fuse.Daemon;

/// <summary>
/// Checks a region's file that is not in use: on a copy in memory it does what a daemon would do to serve it (read the image,
/// apply the journal, attach, recover the file system), with leave to drop damaged pages, so that all of them are found; then it
/// verifies everything. Damaged records stay, so that they are reported by their files. The file is only read.
/// </summary>
internal static class RegionCheck
{
    /// <summary>Of what is damaged, so many lines.</summary>
    internal const int MostShown = 10_000;

    /// <summary>Writes a report, or a refusal.</summary>
    /// <returns>The exit code: 0 if all is well, 1 if something is damaged or the file cannot be read.</returns>
    public static int Run(string file, TextWriter output, TextWriter error)
    {
        if (Directory.Exists(file)) return Refuse(error, $"region file '{file}' is a directory; name the file in it");
        if (RegionFile.TryOpenToRead(file, out var descriptor) is { } problem) return Refuse(error, problem);
        try
        {
            return Look(file, descriptor, output);
        }
        catch (RegionException e)
        {
            return Refuse(error, e.Message);
        }
    }

    private static int Refuse(TextWriter error, string why)
    {
        error.WriteLine($"tmemd: {SafeText.Printable(why)}");
        return 1;
    }

    private static int Look(string file, int descriptor, TextWriter output)
    {
        using var engine = TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = EngineOptions.MinimumCapacity,
            RegionPath = file,
            RegionFileDescriptor = descriptor,
            ReadOnly = true,
            DropDamaged = true,
            CompactInBackground = false,
        });
        var directory = new TmemFileSystem(
            engine, engine.Client(Composition.FileSystemClient), NameHash.Full, dropsDamaged: false,
            MostShown);
        List<PageWords> dropped = [.. PageWords.Of(engine.Dropped, engine.DroppedPages, directory)];
        var report = engine.Verify();
        List<PageWords> found = [.. PageWords.Of(report.Problems, report.CorruptPages, directory)];
        List<string> names = [.. directory.Damage.Mended, .. directory.Verify()];
        // Records first, for each may cost a file; then pages, those of one file together.
        List<string> problems = [.. names, .. directory.Damage.FoundAgain, .. ByFile([.. dropped, .. found])];
        var statistics = engine.Statistics();
        // The count of a start goes on where the lists of sentences end.
        var damaged = engine.DroppedCount + found.Count + Math.Max(names.Count, directory.Damage.Count);
        // The verdict first: the rest may be long.
        output.WriteLine(damaged == 0 ? $"{SafeText.Printable(file)}: sound"
            : $"{SafeText.Printable(file)}: DAMAGED in {damaged} place{(damaged == 1 ? "" : "s")}: restore it from a copy, or "
                + "start tmemd with --drop-damaged to serve the rest");
        output.WriteLine(
            $"generation {statistics.Generation - 1}, {Counted.Of(statistics.Pools.Count, "pool")}, "
            + $"{Counted.Of(report.PagesChecked, "page")} of {Counted.Of(report.ObjectsChecked, "object")} in "
            + $"{ByteSize.Format(statistics.UsedBytes)}");
        foreach (var problem in problems.Take(MostShown)) output.WriteLine("  " + SafeText.Printable(problem));
        var more = Math.Max(problems.Count - MostShown, damaged - dropped.Count - found.Count - names.Count);
        if (more > 0) output.WriteLine($"  and {more} more");
        return damaged == 0 ? 0 : 1;
    }

    /// <summary>The sentences of pages, under a line for each file that has lost several; what is no page's goes first.</summary>
    private static IEnumerable<string> ByFile(List<PageWords> pages)
    {
        foreach (var file in pages.GroupBy(page => page.File).OrderBy(file => file.Key is not null))
        {
            var isHeaded = file.Key is not null && file.Count() > 1;
            if (isHeaded) yield return $"{file.Key}: {file.Count()} pages are damaged";
            foreach (var page in file) yield return isHeaded ? "  " + page.Text : page.Text;
        }
    }
}
