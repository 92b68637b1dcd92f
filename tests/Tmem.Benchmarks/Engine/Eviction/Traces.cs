using System.Buffers.Binary;
using System.Globalization;

namespace Tmem.Benchmarks.Engine.Eviction;

/// <summary>A sequence of page numbers, as clients ask for them.</summary>
internal sealed record AccessTrace(string Name, long[] Accesses)
{
    /// <summary>Different pages in it.</summary>
    public int Universe { get; } = Accesses.Distinct().Count();
}

/// <summary>
/// Traces made by seed, each for one thing that tells policies apart, and traces from files. A cache of
/// <paramref name="cache"/> pages is meant to hold a tenth of the pages of a Zipf trace.
/// </summary>
internal sealed class Traces(int cache, int length, int seed)
{
    // Numbers that no other part of a trace uses: pages seen once.
    private const long Once = 1L << 30;

    public IEnumerable<AccessTrace> All() =>
        [Zipf(0.8), Zipf(1.0), Zipf(1.2), Polluted(), Loop(), LoopAndZipf(), News(), Recency()];

    /// <summary>Independent draws: page r with probability in proportion to 1 / r^alpha.</summary>
    private AccessTrace Zipf(double alpha)
    {
        var draw = new ZipfDraw(10 * cache, alpha, seed);
        return new($"Zipf {alpha:F1}", Make(_ => draw.Next()));
    }

    /// <summary>
    /// Zipf 1.0, and after each cache's worth of it a scan over half a cache's worth of pages that never come again.
    /// </summary>
    private AccessTrace Polluted()
    {
        var draw = new ZipfDraw(10 * cache, 1.0, seed);
        var once = Once;
        return new("Zipf 1.0 + scans", Make(i => i % (3 * cache / 2) < cache ? draw.Next() : once++));
    }

    /// <summary>Round and round over a quarter more than the cache holds: where LRU and FIFO find nothing.</summary>
    private AccessTrace Loop() => new("loop of 1.25 caches", Make(i => i % (5 * cache / 4)));

    /// <summary>
    /// Half of the accesses go round a loop of two caches, half are Zipf 1.0: a database's scan beside its lookups.
    /// </summary>
    private AccessTrace LoopAndZipf()
    {
        var draw = new ZipfDraw(10 * cache, 1.0, seed);
        return new("loop and Zipf 1.0", Make(i => i % 2 == 0 ? Once + i / 2 % (2 * cache) : draw.Next()));
    }

    /// <summary>
    /// What is new is what is wanted: popularity by age, Zipf 1.0, a new page every 16 accesses. Counting uses misleads here.
    /// </summary>
    private AccessTrace News()
    {
        var draw = new ZipfDraw(10 * cache, 1.0, seed);
        return new("news (popular while new)", Make(i => 10 * cache + i / 16 - draw.Rank()));
    }

    /// <summary>
    /// Nine in ten accesses repeat one made d accesses ago, log d even from 1 to 8 caches; the tenth is a new page. LRU's own
    /// ground.
    /// </summary>
    private AccessTrace Recency()
    {
        var random = new Random(seed);
        var accesses = new long[length];
        var span = Math.Log(8.0 * cache);
        for (var i = 0; i < length; i++)
        {
            var back = (int)Math.Exp(random.NextDouble() * span);
            accesses[i] = random.Next(10) != 0 && back <= i && back > 0 ? accesses[i - back] : Once + i;
        }
        return new("recency", accesses);
    }

    private long[] Make(Func<int, long> page)
    {
        var accesses = new long[length];
        for (var i = 0; i < length; i++) accesses[i] = page(i);
        return accesses;
    }

    /// <summary>The trace of a file, or those of all files of a folder, in the order of their names.</summary>
    public static AccessTrace[] Load(string path)
    {
        var files = Directory.Exists(path) ? Directory.GetFiles(path).Order(StringComparer.Ordinal).ToArray() : [path];
        return files.Length > 0 ? [.. files.Select(LoadFile)] : throw new BenchmarkException($"no trace in {path}.");
    }

    /// <summary>
    /// A trace from a file, of a format that its name tells: libCacheSim's oracleGeneral (24 bytes an access, the object id at
    /// byte 4), numbers of 4 or 8 bytes with the lowest first (.le32) or last (.be32, .be64), or text, one number a line.
    /// </summary>
    private static AccessTrace LoadFile(string path)
    {
        if (!File.Exists(path)) throw new BenchmarkException($"no trace at {path}.");
        var name = Path.GetFileName(path);
        var title = name.Split('.')[0];
        try
        {
            var accesses = Path.GetExtension(name) switch
            {
                _ when name.Contains("oracleGeneral", StringComparison.OrdinalIgnoreCase) =>
                    Binary(path, 24, entry => BinaryPrimitives.ReadInt64LittleEndian(entry[4..])),
                ".le32" => Binary(path, 4, entry => BinaryPrimitives.ReadUInt32LittleEndian(entry)),
                ".be32" => Binary(path, 4, entry => BinaryPrimitives.ReadUInt32BigEndian(entry)),
                ".be64" => Binary(path, 8, entry => BinaryPrimitives.ReadInt64BigEndian(entry)),
                // LIRS's have a line '*' between two phases.
                _ => [.. File.ReadLines(path).Where(l => l.Length > 0 && l != "*")
                    .Select(l => long.Parse(l, CultureInfo.InvariantCulture))],
            };
            return accesses.Length > 0 ? new AccessTrace(title, accesses)
                : throw new BenchmarkException($"{path} holds no access.");
        }
        catch (FormatException)
        {
            throw new BenchmarkException(
                $"{path}: neither one page number a line nor named *oracleGeneral*, *.le32, *.be32 or *.be64.");
        }
    }

    private delegate long Entry(ReadOnlySpan<byte> bytes);

    private static long[] Binary(string path, int bytes, Entry read)
    {
        var all = File.ReadAllBytes(path);
        var accesses = new long[all.Length / bytes];
        for (var i = 0; i < accesses.Length; i++) accesses[i] = read(all.AsSpan(i * bytes, bytes)) & long.MaxValue;
        return accesses;
    }
}

/// <summary>Draws ranks 0 to n - 1 by Zipf's law, and pages of those ranks in a shuffled order.</summary>
internal sealed class ZipfDraw
{
    private readonly double[] _sums;
    private readonly int[] _pages;
    private readonly Random _random;

    public ZipfDraw(int pages, double alpha, int seed)
    {
        _random = new Random(seed);
        _sums = new double[pages];
        double sum = 0;
        for (var rank = 0; rank < pages; rank++) _sums[rank] = sum += Math.Pow(rank + 1, -alpha);
        _pages = [.. Enumerable.Range(0, pages)];
        _random.Shuffle(_pages);
    }

    public int Rank()
    {
        var found = Array.BinarySearch(_sums, _random.NextDouble() * _sums[^1]);
        return Math.Min(found < 0 ? ~found : found, _sums.Length - 1);
    }

    public long Next() => _pages[Rank()];
}
