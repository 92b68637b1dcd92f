using System.Globalization;
using PageCache;
using Tmem.Engine;

// The engine as an off-heap page cache:  PageCache [FILE [CACHE MiB]]
// Reads pages of the file at random, most of them from a small part of it, and prints what the cache did. Without a file it makes
// one.
long cacheMebibytes = 8;
var isNumber = args.Length < 2 || long.TryParse(args[1], NumberStyles.None, CultureInfo.InvariantCulture, out cacheMebibytes)
    && cacheMebibytes is > 0 and <= 1 << 20;
if (!isNumber || args.Length > 2 || args.Any(argument => argument.StartsWith('-')))
{
    Console.Error.WriteLine("usage: PageCache [FILE [CACHE MiB, 1 to 1048576]]");
    return 2;
}
const int reads = 100_000;
var path = args.Length > 0 ? args[0] : Example.Make(pages: 8192);
try
{
    using var file = new CachedFile(path, cacheMebibytes << 20);
    var pages = (uint)((new FileInfo(path).Length + TmemClient.PageSize - 1) / TmemClient.PageSize);
    var random = new Random(1);
    var page = new byte[TmemClient.PageSize];
    for (var i = 0; i < reads; i++) file.Read((uint)(pages * Math.Pow(random.NextDouble(), 4)), page);

    var statistics = file.Statistics();
    var cached = statistics.Total;
    Console.WriteLine($"file    {Mebibytes(pages * (long)TmemClient.PageSize)} MiB in {pages} pages");
    Console.WriteLine(
        $"cache   {Mebibytes(statistics.UsedBytes)} MiB of real memory hold {cached.Pages} pages, "
        + $"{Mebibytes(cached.OriginalBytes)} MiB");
    Console.WriteLine(
        $"saved   {Mebibytes(cached.OriginalBytes - statistics.UsedBytes)} MiB, {cached.Evictions} pages gave way to others");
    Console.WriteLine($"reads   {reads}, {Percent(cached.GetHits, reads)} % from the cache");
    return 0;
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"PageCache: {e.Message}");
    return 1;
}
finally
{
    if (args.Length == 0) File.Delete(path);
}

static string Mebibytes(long bytes) => (bytes / 1048576.0).ToString("F1", CultureInfo.InvariantCulture);
static string Percent(long part, long whole) => (100.0 * part / whole).ToString("F1", CultureInfo.InvariantCulture);
