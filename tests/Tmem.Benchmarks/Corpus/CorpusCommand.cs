using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Tmem.Benchmarks.Corpus;

/// <summary>
/// <c>corpus</c>: makes the data of every benchmark, a file of real memory pages in seeded order, and a manifest that says what
/// is in it. Compression figures depend on data more than on anything else; a synthetic pattern would decide the outcome by
/// itself.
/// </summary>
internal static class CorpusCommand
{
    private const int Page = PageFile.PageSize;

    public static Command Create()
    {
        var folder = new Argument<string>("folder") { Description = "Where to put it.", DefaultValueFactory = _ => "out/corpus" };
        var bytes = Options.Size("--bytes", 64 << 20, "How much of it.");
        var seed = Options.With("--seed", 1, "Decides the sample and the order.");
        var fresh = Options.With("--fresh", false, "Make it anew even if there is one of that size.");
        var ordered = Options.With("--ordered", false, "Keep each process's pages in their order, in runs of 256 KiB.");
        var command = new Command("corpus", "Makes a corpus of real memory pages from processes that it starts.") { folder, bytes,
            seed, fresh, ordered };
        command.SetAction(parse => Make(parse.GetValue(folder)!, parse.GetValue(bytes), parse.GetValue(seed),
            parse.GetValue(fresh), parse.GetValue(ordered)));
        return command;
    }

    private static void Make(string folder, long bytes, int seed, bool fresh, bool ordered)
    {
        if (bytes < 1 << 20) throw new UsageException($"--bytes {bytes} is too little for a corpus; ask for 1M or more.");
        var (pages, manifest) = (Path.Combine(folder, "pages.bin"), Path.Combine(folder, "manifest.txt"));
        if (!fresh && IsWhole(pages, manifest, bytes, ordered))
        {
            Console.Write(File.ReadAllText(manifest));
            return;
        }
        var wanted = (int)(bytes / Page);
        // A quarter each from five sources: room for one to have less than its fifth, and none can dominate.
        var sources = CorpusSources.Read(wanted / 4, seed, ordered);
        var chosen = Share(sources, wanted);
        var order = sources.SelectMany((s, i) => s.Pages.Take(chosen[i])).ToArray();
        if (order.Length < wanted)
            throw new BenchmarkException(
                $"only {order.Length} of {wanted} pages found in the processes started; ask for fewer --bytes.");
        if (!ordered) new Random(seed).Shuffle(order);
        Directory.CreateDirectory(folder);
        // Written aside and renamed, so that a run that was interrupted leaves no half of a corpus behind.
        using (var file = File.Create(pages + ".new"))
            foreach (var page in order) file.Write(page);
        File.Move(pages + ".new", pages, overwrite: true);
        File.WriteAllText(manifest, Manifest(sources, chosen, order, Digest(pages), seed, ordered));
        Console.Write(File.ReadAllText(manifest));
    }

    // Equal shares first; what a small source leaves over goes to those that have more.
    private static int[] Share(IReadOnlyList<Reservoir> sources, int wanted)
    {
        var shares = new int[sources.Count];
        for (var left = wanted; left > 0;)
        {
            var open = Enumerable.Range(0, shares.Length).Where(i => shares[i] < sources[i].Pages.Count).ToArray();
            if (open.Length == 0) break;
            var each = Math.Max(1, left / open.Length);
            foreach (var i in open)
            {
                var more = Math.Min(Math.Min(each, left), sources[i].Pages.Count - shares[i]);
                shares[i] += more;
                left -= more;
            }
        }
        return shares;
    }

    private static string Manifest(IReadOnlyList<Reservoir> sources, int[] chosen, byte[][] order, string digest, int seed,
        bool ordered)
    {
        var distinct = order.Select(p => Convert.ToHexString(SHA256.HashData(p))).Distinct().Count();
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture,
            $"pages.bin {order.Length} pages of {Page} bytes, {distinct} distinct, no zero pages, seed {seed}");
        text.Append(ordered ? InOrder : "").Append('\n');
        text.Append(CultureInfo.InvariantCulture, $"sha256 {digest}\n");
        text.Append("source      taken    found     zero (left out)\n");
        for (var i = 0; i < chosen.Length; i++)
            text.Append(CultureInfo.InvariantCulture,
                $"{sources[i].Name,-10}{chosen[i],7}{sources[i].Seen,9}{sources[i].Zero,9}\n");
        return text.ToString();
    }

    private const string InOrder = ", in order";

    private static bool IsWhole(string pages, string manifest, long bytes, bool ordered) =>
        File.Exists(pages) && File.Exists(manifest) && new FileInfo(pages).Length == bytes / Page * Page
        && File.ReadAllText(manifest) is var text && text.Contains(Digest(pages), StringComparison.Ordinal)
        && text.Contains(InOrder, StringComparison.Ordinal) == ordered;

    private static string Digest(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }
}
