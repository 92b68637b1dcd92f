using System.Globalization;
using System.Text.Json;
using Tmem.Benchmarks.Linux;
using Tmem.Benchmarks.Swap;

namespace Tmem.Benchmarks.Waits;

/// <summary>A row: what is done beside the client.</summary>
/// <param name="Name">For <c>--only</c>.</param>
/// <param name="What">In words.</param>
/// <param name="Counts">Whether a target stands beside it; the others are there to compare with.</param>
/// <param name="Measure">Does it and returns what the client waited for.</param>
internal sealed record WaitsRow(string Name, string What, bool Counts, Func<WaitsBench, Waited> Measure);

/// <summary>
/// One daemon, one client of a file in a pool of root's, and the rows beside it one after the other. What the other user does he
/// does as a user of his own with a directory of his own. The row sync has a daemon with a region file to itself.
/// </summary>
internal sealed class WaitsBench : IDisposable
{
    private const uint OtherUser = 65534;
    private const long ClientBytes = 256 << 20;
    private const long Capacity = 3L << 30;
    private const string RealTimeNote = "; daemon and client in the real-time class, a millisecond between two calls";

    private readonly WaitsOptions _options;
    private readonly Interrupt _interrupt;
    private readonly Pulse _pulse = new();
    private Place? _place;
    private bool _made;

    public WaitsBench(WaitsOptions options, Interrupt interrupt) => (_options, _interrupt) = (options, interrupt);

    public static IReadOnlyList<WaitsRow> Rows { get; } =
    [
        new("alone", "nobody else", false, bench => bench.While(() => Thread.Sleep(bench.Lasts))),
        new("compute", "callers that only compute (the machine's own part)", false, bench => bench.Beside("compute")),
        new("seek", "lseek(SEEK_HOLE) on a dense file", true, bench => bench.Beside("seek")),
        new("attributes", "9,362 attributes on a file, again and again", true, bench => bench.Beside("attributes")),
        new("names", "files made, looked for, renamed, removed", true, bench => bench.Beside("names")),
        new("truncate", "dense files cut to nothing, one a caller", true, bench => bench.WorstOf("truncate")),
        new("punch", "one hole over a dense file, one a caller", true, bench => bench.WorstOf("punch")),
        new("remove", "dense files removed, one a caller", true, bench => bench.WorstOf("remove")),
        new("make", "the large directory filled", true, bench => bench.Make()),
        new("list", "the large directory listed", true, bench => bench.InLargeDirectory("list")),
        new("backwards", "the large directory listed backwards", true, bench => bench.InLargeDirectory("backwards")),
        new("check", "tmemctl check", true, bench => bench.Managed("check")),
        new("destroy", "tmemctl pool destroy --force of the large directory", true,
            bench => bench.Managed("pool", "destroy", "--force", "many")),
        new("sync", "fsync with a region file", true, bench => bench.Sync()),
    ];

    private TimeSpan Lasts => TimeSpan.FromSeconds(_options.Seconds);

    private Place Here => _place ??= new Place(_options, "waits");

    /// <summary>Measures the rows wanted; returns the exit code.</summary>
    public int Run(IReadOnlyList<string> wanted)
    {
        Console.WriteLine(
            string.Create(CultureInfo.InvariantCulture,
                $"a client reads and writes 4 KiB at random places of a file of {ClientBytes >> 20} MiB (O_DIRECT, one call "
            + $"after the other); "
            + $"beside it, {_options.Callers} callers, a dense file of {_options.FileBytes >> 20} MiB, a directory of "
            + $"{_options.Names} files, {_options.SyncBytes >> 20} MiB to be made "
            + $"durable{(_options.RealTime ? RealTimeNote : "")}"));
        Console.WriteLine(
            $"{"",-12}{"milliseconds:",-52}{"calls",9}{"median",9}{"99.9 %",9}{"machine",9}{"longest",9}   "
            + $"target {_options.Target:F0}");
        foreach (var row in Rows.Where(row => wanted.Contains(row.Name)))
        {
            _interrupt.Check();
            var found = row.Measure(this);
            var verdict = row.Counts ? Verdict(found) : "-";
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{row.Name,-12}{row.What,-52}{found.Calls,9}{found.Median / 1000,9:F2}{found.P999 / 1000,9:F2}"
                + $"{found.Machine,9:F1}{found.Longest / 1000,9:F1}   {verdict}"));
        }
        return 0;
    }

    /// <summary>A row that misses where the machine itself stood still for half of the wait says nothing of tmem.</summary>
    private string Verdict(Waited found) => found.Longest / 1000 <= _options.Target ? "met"
        : found.Machine * 1000 > found.Longest / 2 ? "not judged" : "MISSED";

    public void Dispose()
    {
        _place?.Dispose();
        _pulse.Dispose();
    }

    private Waited While(Action what) => While(Here, what);

    private Waited While(Place place, Action what)
    {
        _ = _pulse.TakeLongest();
        place.Begin();
        what();
        var found = place.End();
        return found with { Machine = _pulse.TakeLongest() };
    }

    private Waited Beside(string kind)
    {
        using var load = Here.Load(kind, Here.UserFolder, _options.FileBytes);
        return Measure(Here, load);
    }

    private Waited WorstOf(string kind) =>
        Enumerable.Range(0, _options.Rounds).Select(_ => Beside(kind)).MaxBy(found => found.Longest)!;

    private Waited Measure(Place place, RunningLoad load)
    {
        _interrupt.Check();
        var found = While(place, () =>
        {
            if (load.Begin()) Thread.Sleep(Lasts);
        });
        load.Finish();
        return found;
    }

    private Waited Make()
    {
        using var load = Here.Load("make", Here.LargeFolder(), _options.FileBytes);
        var found = Measure(Here, load);
        _made = true;
        return found;
    }

    private Waited InLargeDirectory(string kind)
    {
        if (!_made) _ = Make();
        using var load = Here.Load(kind, Here.LargeFolder(), _options.FileBytes);
        return Measure(Here, load);
    }

    private Waited Managed(params string[] arguments)
    {
        if (!_made) _ = Make();
        _made &= arguments[0] != "pool";
        return While(() => Here.Daemon.Must(arguments));
    }

    private Waited Sync()
    {
        _place?.Dispose();
        _place = null;
        _made = false;
        var folder = Path.Combine(_options.RegionFolder, $"tmem-bench-{Environment.ProcessId}");
        Directory.CreateDirectory(folder);
        try
        {
            // Nothing is made durable before it is asked for.
            using var place = new Place(_options, "sync", "--region", Path.Combine(folder, "region"), "--sync-interval", "0");
            using var load = place.Load("sync", place.UserFolder, _options.SyncBytes);
            return Measure(place, load);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>A daemon with the client on it.</summary>
    private sealed class Place : IDisposable
    {
        private readonly WaitsOptions _options;
        private readonly Child? _client;

        public Place(WaitsOptions options, string name, params string[] arguments)
        {
            _options = options;
            Daemon = new TmemDaemon(options.Binaries, name, Capacity, options.RealTime, options.RealTime
                ? [.. arguments, "--spin", "0"] : arguments);
            try
            {
                var swap = Path.Combine(Daemon.Mount, "swap");
                Directory.CreateDirectory(swap);
                File.SetUnixFileMode(swap, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                _ = FolderOf("user");
                _client = Benchmarks(options.RealTime, "waits-client", "--file", Path.Combine(swap, "file"), "--bytes",
                    Text(ClientBytes),
                    "--paced", options.RealTime ? "true" : "false");
                Expect(_client, "ready");
                // The first measurement meets code that is not compiled yet.
                Begin();
                Thread.Sleep(500);
                _ = End();
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public TmemDaemon Daemon { get; }

        public string UserFolder => FolderOf("user");

        public string LargeFolder() => FolderOf("many");

        public void Begin() => Tell(_client!, "begin");

        public Waited End()
        {
            Tell(_client!, "end");
            return JsonSerializer.Deserialize(Line(_client!), WaitedJson.Default.Waited)!;
        }

        public RunningLoad Load(string kind, string folder, long bytes) =>
            new(Benchmarks(false, "waits-load", kind, "--folder", folder, "--callers", Text(_options.Callers),
            "--bytes", Text(bytes), "--names", Text(_options.Names), "--user", Text(OtherUser)));

        public void Dispose()
        {
            _client?.Dispose();
            Daemon.Dispose();
        }

        /// <summary>A pool of the other user's.</summary>
        private string FolderOf(string pool)
        {
            var path = Path.Combine(Daemon.Mount, pool);
            if (Directory.Exists(path)) return path;
            Directory.CreateDirectory(path);
            return Native.chown(path, OtherUser, OtherUser) == 0 ? path
                : throw new BenchmarkException($"cannot give {path} to user {OtherUser}.");
        }

        private static Child Benchmarks(bool realTime, params string[] arguments)
        {
            string[] words = ["dotnet", Path.Combine(AppContext.BaseDirectory, "Tmem.Benchmarks.dll"), .. arguments];
            if (realTime) words = [.. TmemDaemon.RealTime, .. words];
            return Child.Start(words[0], words[1..]);
        }

        private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>A load under way.</summary>
    private sealed class RunningLoad : IDisposable
    {
        private readonly Child _child;

        public RunningLoad(Child child)
        {
            _child = child;
            try
            {
                Expect(child, "ready");
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        /// <summary>Begins; true if it goes on until <see cref="Finish"/>, false if it is done.</summary>
        public bool Begin()
        {
            Tell(_child, "go");
            return Line(_child) == "begun";
        }

        public void Finish()
        {
            Tell(_child, "stop");
            var said = Line(_child);
            if (said.StartsWith("failed", StringComparison.Ordinal)) throw new BenchmarkException("the load " + said);
            _child.Process.WaitForExit(60_000);
        }

        public void Dispose() => _child.Dispose();
    }

    private static void Tell(Child child, string what)
    {
        child.Process.StandardInput.WriteLine(what);
        child.Process.StandardInput.Flush();
    }

    private static string Line(Child child)
    {
        var line = child.Process.StandardOutput.ReadLineAsync();
        if (!line.Wait(TimeSpan.FromMinutes(20)))
            throw new BenchmarkException(
                "no answer within twenty minutes; the daemon hangs, or the machine is too slow for these sizes.");
        return line.Result ?? throw new BenchmarkException("the client or the load ended early; see above.");
    }

    private static void Expect(Child child, string what)
    {
        if (Line(child) is var said && said != what) throw new BenchmarkException($"expected '{what}', got '{said}'.");
    }
}
