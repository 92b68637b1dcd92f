using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Corpus;

/// <summary>The five kinds of memory the corpus is made of, each from processes started for it.</summary>
internal static class CorpusSources
{
    // Parses its own library, indexes the words and keeps records: trees, dictionaries, lists, strings.
    private const string Python = """
        import ast, json, os, sys, sysconfig
        limit = int(sys.argv[1])
        library = sysconfig.get_paths()['stdlib']
        trees, words, records = [], {}, []
        held = lambda: int(open('/proc/self/statm').read().split()[1]) * 4096
        for name in sorted(os.listdir(library)):
            if not name.endswith('.py') or held() > limit: continue
            text = open(os.path.join(library, name), encoding='utf-8', errors='replace').read()
            trees.append(ast.parse(text))
            for number, line in enumerate(text.splitlines()):
                records.append({'file': name, 'line': number, 'text': line.strip(), 'weight': number / 7})
                for word in line.split(): words.setdefault(word, []).append(number)
        dump = json.dumps(records[:20000])
        print(os.getpid(), flush=True)
        sys.stdin.read()
        """;

    /// <summary>Reads all five; each keeps a fair sample of at most that many pages.</summary>
    public static IReadOnlyList<Reservoir> Read(int most, int seed, bool ordered)
    {
        var bytes = (long)most * PageFile.PageSize;
        Reservoir New(string name, int number) => new(name, most, new Random(HashCode(seed, number)), ordered);
        Reservoir compiler = New("compiler", 1), python = New("python", 2), dotnet = New("dotnet", 3);
        Reservoir text = New("text", 4), binaries = New("binaries", 5);
        using (var subject = Compiler(bytes * 2, seed))
        {
            var id = subject.Freeze();
            ProcessMemory.Read(id, MemoryKind.Private, compiler);
            ProcessMemory.Read(id, MemoryKind.Binary, binaries);
        }
        using (var subject = SubjectProcess.StartUntilItReports("python3", "-c", Python, (bytes * 2).ToString()))
        {
            var id = subject.Freeze();
            ProcessMemory.Read(id, MemoryKind.Private, python);
            ProcessMemory.Read(id, MemoryKind.Binary, binaries);
        }
        using (var subject = DotNet(bytes * 2))
        {
            var id = subject.Freeze();
            ProcessMemory.Read(id, MemoryKind.Private, dotnet);
            ProcessMemory.Read(id, MemoryKind.Binary, binaries);
        }
        Environment.SetEnvironmentVariable("LC_ALL", "C");
        // sort keeps everything it reads in one buffer until its input ends: text as a text program holds it.
        var texts = TextFiles.Read(bytes * 3 / 2, new Random(seed));
        using (var subject = SubjectProcess.StartAndFeed(texts, "sort", "--parallel=1", $"--buffer-size={bytes * 6}b"))
            ProcessMemory.Read(subject.Freeze(), MemoryKind.Private, text);
        return [compiler, python, dotnet, text, binaries];
    }

    private static int HashCode(int seed, int number) => (seed * 31) + number;

    private static SubjectProcess Compiler(long bytes, int seed)
    {
        var cc1 = Child.Run("gcc", "-print-prog-name=cc1").Trim();
        if (!File.Exists(cc1)) throw new BenchmarkException("gcc has no C compiler proper (cc1); install the package gcc.");
        var source = Path.Combine(Path.GetTempPath(), $"tmem-corpus-{Environment.ProcessId}.c");
        var unit = Path.ChangeExtension(source, ".i");
        try
        {
            File.WriteAllText(source, CSource.Write(20_000, new Random(seed)));
            // The driver knows where the headers are; cc1 is started by ourselves because it is its memory that is wanted.
            Child.Run("gcc", "-E", source, "-o", unit);
            return SubjectProcess.StartUntilItHolds(bytes + (32 << 20), cc1, "-fpreprocessed", "-quiet", "-O2", "-w", unit, "-o",
                "/dev/null");
        }
        finally
        {
            File.Delete(source);
            File.Delete(unit);
        }
    }

    private static SubjectProcess DotNet(long bytes) => SubjectProcess.StartUntilItReports(
        "dotnet", Path.Combine(AppContext.BaseDirectory, "Tmem.Benchmarks.dll"), "corpus-subject", "--megabytes",
            (bytes >> 20).ToString());
}
