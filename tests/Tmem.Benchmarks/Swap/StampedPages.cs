using System.Runtime.CompilerServices;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>
/// The working set: page i is a corpus page chosen by a seeded permutation, under a stamp of its own.
/// <code>
/// byte 0        8              16                    4096
///      | number | seed ^ mix(number) | corpus page from 16 on |
/// </code>
/// So every page differs from every other, and a page that comes back in another's place, or from another run, is seen.
/// </summary>
internal sealed unsafe class StampedPages : IDisposable
{
    private const int StampSize = 16;
    private readonly PageFile _corpus;
    private readonly AnonymousMemory _memory;
    private readonly int[] _order;
    private readonly ulong _seed;

    public StampedPages(PageFile corpus, long bytes, int seed)
    {
        _corpus = corpus;
        _seed = Mix((ulong)seed + 1);
        _order = [.. Enumerable.Range(0, corpus.Count)];
        new Random(seed).Shuffle(_order);
        Count = bytes / PageFile.PageSize;
        _memory = new AnonymousMemory(Count * PageFile.PageSize);
    }

    public long Count { get; }

    public void Fill(long number)
    {
        var page = _memory.Page(number);
        Source(number).CopyTo(new Span<byte>(page, PageFile.PageSize));
        ((ulong*)page)[0] = (ulong)number;
        ((ulong*)page)[1] = _seed ^ Mix((ulong)number);
    }

    /// <summary>Reads one word of the page, which brings it in, and says whether that word is right.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Touch(long number) => Volatile.Read(ref *(ulong*)_memory.Page(number)) == (ulong)number;

    /// <summary>Compares every byte.</summary>
    public bool IsRight(long number)
    {
        var page = _memory.Page(number);
        return ((ulong*)page)[0] == (ulong)number
            && ((ulong*)page)[1] == (_seed ^ Mix((ulong)number))
            && new ReadOnlySpan<byte>(page + StampSize, PageFile.PageSize - StampSize).SequenceEqual(Source(number)[StampSize..]);
    }

    public void Dispose() => _memory.Dispose();

    // Each lap over the corpus starts elsewhere, so equal neighbours do not repeat from lap to lap.
    private ReadOnlySpan<byte> Source(long number)
    {
        var (lap, place) = Math.DivRem(number, _order.Length);
        return _corpus[_order[(int)((place + lap * 7919) % _order.Length)]];
    }

    // The finaliser of SplitMix64: every bit of the number reaches every bit of the stamp.
    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
