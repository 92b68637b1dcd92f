using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;

namespace Tmem.Benchmarks.Corpus;

/// <summary>
/// The .NET program among the corpus's sources: this program itself, holding what programs of its kind hold (parsed JSON, text,
/// dictionaries, records, lists of small objects), until its input ends.
/// </summary>
internal static class CorpusSubject
{
    private sealed record Entry(string Path, long Length, DateTime Changed, string[] Words);

    public static Command Create()
    {
        var megabytes = Options.With("--megabytes", 48, "How much managed memory to hold.");
        var command = new Command("corpus-subject",
            "Fills its memory, prints its process id and waits. Started by 'corpus'.") { megabytes };
        command.Hidden = true;
        command.SetAction(parse => Hold(parse.GetValue(megabytes)));
        return command;
    }

    private static void Hold(int megabytes)
    {
        var folder = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        var files = Directory.EnumerateFiles(Path.Combine(folder, "../../.."), "*.*", SearchOption.AllDirectories)
            .Where(f => f.EndsWith(".json", StringComparison.Ordinal) || f.EndsWith(".xml", StringComparison.Ordinal)
                || f.EndsWith(".targets", StringComparison.Ordinal) || f.EndsWith(".txt", StringComparison.Ordinal))
            .OrderBy(f => f, StringComparer.Ordinal).Select(f => new FileInfo(f)).Where(f => f.Length < 2 << 20);
        var documents = new List<JsonNode>();
        var entries = new SortedDictionary<string, Entry>(StringComparer.Ordinal);
        var words = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        var log = new StringBuilder();
        foreach (var file in files)
        {
            if (GC.GetTotalMemory(false) > (long)megabytes << 20) break;
            var text = File.ReadAllText(file.FullName);
            if (file.Extension == ".json" && TryParse(text) is { } document) documents.Add(document);
            var split = text.Split([' ', '\n', '"', '<', '>', ':', '/'], StringSplitOptions.RemoveEmptyEntries);
            entries[file.FullName] = new Entry(file.FullName, file.Length, file.LastWriteTimeUtc, [.. split.Take(200)]);
            for (var i = 0; i < split.Length; i++)
            {
                if (!words.TryGetValue(split[i], out var places)) words[split[i]] = places = [];
                places.Add(i);
            }
            log.Append(file.LastWriteTimeUtc).Append(' ').Append(file.FullName).Append(' ').Append(split.Length)
                .Append(" words\n");
        }
        Console.WriteLine(Environment.ProcessId);
        Console.In.ReadToEnd();
        GC.KeepAlive((documents, entries, words, log));
    }

    private static JsonNode? TryParse(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }
}
