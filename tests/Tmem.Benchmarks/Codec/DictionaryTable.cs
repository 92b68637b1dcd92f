using System.Globalization;
using Tmem.Benchmarks.Linux;
using Tmem.Engine.Codec;
using Tmem.Engine.Native;

namespace Tmem.Benchmarks.Codec;

/// <summary>
/// <c>codec --dictionaries</c>: what a dictionary is worth and costs, by size and level. It is trained on a sixteenth of the
/// pages, and measured on the others, in processor time; the ratio counts the slot's first byte, and a page that does not shrink
/// as raw.
/// </summary>
internal static unsafe class DictionaryTable
{
    private const int Page = PageFile.PageSize;
    private const int Sixteenth = 16;
    private static readonly int[] s_sizes = [16, 32, 64, 112];
    private static readonly int[] s_levels = [1, 3, 5, 6, 9];

    public static void Run(PageFile pages, int segment)
    {
        var samples = Enumerable.Range(0, pages.Count).Where(page => page % Sixteenth == 0).ToArray();
        var others = Enumerable.Range(0, pages.Count).Where(page => page % Sixteenth != 0).ToArray();
        var sample = new byte[samples.Length * Page];
        for (var i = 0; i < samples.Length; i++) pages[samples[i]].CopyTo(sample.AsSpan(i * Page));
        using var packed = new PackedPages(others.Length);
        using var room = new AnonymousMemory(Page);
        Console.WriteLine($"dictionaries trained on {samples.Length} pages, measured on {others.Length}; segments of {segment}");
        Console.WriteLine("  dictionary  level   ratio  encode us  decode us   tables KiB to compress, to unpack   "
            + "training s, MiB");
        foreach (var size in s_sizes)
            foreach (var level in s_levels) Measure(pages, others, sample, size << 10, level, segment, packed, room.Page(0));
    }

    private static void Measure(PageFile pages, int[] others, byte[] sample, int size, int level, int segment, PackedPages packed,
        byte* room)
    {
        using var content = new AnonymousMemory(size);
        var before = Resident();
        using var peak = new PeakMemory();
        var start = SystemCalls.ThreadTime();
        var length = ZstdTrainer.Train(sample, Page, new Span<byte>(content.Page(0), size), level, segment);
        var training = (SystemCalls.ThreadTime() - start) / 1e9;
        var trainer = peak.Stop() - before;
        if (length == 0) throw new BenchmarkException($"the samples give no dictionary of {size} bytes.");
        using var dictionary = ZstdDictionary.Over(content.Page(0), length) ?? throw new BenchmarkException("no dictionary");
        var unpacking = dictionary.Bytes;
        if (!dictionary.Digest(level, Page)) throw new BenchmarkException("no memory for a dictionary's tables.");
        using var packer = new ZstdPacker();
        double encode = double.MaxValue, decode = double.MaxValue;
        long bytes = 0;
        for (var round = 0; round < 3; round++)
        {
            start = SystemCalls.ThreadTime();
            for (var i = 0; i < others.Length; i++)
                packed.Lengths[i] = packer.Encode(dictionary, pages[others[i]], packed.Room(i)[..Page]);
            encode = Math.Min(encode, (SystemCalls.ThreadTime() - start) / 1e3 / others.Length);
            bytes = packed.Lengths.Sum(one => one is 0 or >= Page - 1 ? Page : one + 1L);
            start = SystemCalls.ThreadTime();
            for (var i = 0; i < others.Length; i++)
            {
                if (packed.Lengths[i] == 0) continue;
                var whole = dictionary.Decode(packed.Block(i), new Span<byte>(room, Page));
                if (!whole || (round == 0 && !pages[others[i]].SequenceEqual(new ReadOnlySpan<byte>(room, Page))))
                    throw new BenchmarkException($"page {others[i]} did not unpack to itself.");
            }
            decode = Math.Min(decode, (SystemCalls.ThreadTime() - start) / 1e3 / others.Length);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  {size >> 10,6} KiB  {level,5}{(double)others.Length * Page / bytes,8:F3}{encode,11:F1}{decode,11:F1}"
            + $"{(dictionary.Bytes - unpacking) >> 10,16}{unpacking >> 10,12}{training,22:F2}{trainer >> 20,5}"));
    }

    private static long Resident() => long.Parse(
        File.ReadAllText("/proc/self/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;

    /// <summary>The most resident memory of the process, looked at every few milliseconds.</summary>
    private sealed class PeakMemory : IDisposable
    {
        private readonly Thread _thread;
        private volatile bool _stop;
        private long _most;

        public PeakMemory()
        {
            _thread = new Thread(() =>
            {
                while (!_stop)
                {
                    _most = Math.Max(_most, Resident());
                    Thread.Sleep(5);
                }
            });
            _thread.Start();
        }

        public long Stop()
        {
            _stop = true;
            _thread.Join();
            return _most;
        }

        public void Dispose() => Stop();
    }
}
