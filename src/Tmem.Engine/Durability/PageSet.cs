using System.Numerics;
using System.Runtime.InteropServices;
using Tmem.Engine.Format;

namespace Tmem.Engine.Durability;

/// <summary>A set of the region's pages: a bit each; only the used part is ever touched. For one thread.</summary>
internal sealed unsafe class PageSet : IDisposable
{
    private readonly long _pages;
    private ulong* _words;
    private long _end;

    public PageSet(long regionBytes)
    {
        _pages = regionBytes / RegionLayout.PageSize;
        _words = (ulong*)NativeMemory.AllocZeroed((nuint)((_pages + 63) / 64), sizeof(ulong));
    }

    public long Count { get; private set; }

    public void Add(long page)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)page, (ulong)_pages);
        ref var word = ref _words[page >> 6];
        var bit = 1UL << (int)(page & 63);
        if ((word & bit) != 0) return;
        word |= bit;
        Count++;
        _end = Math.Max(_end, page + 1);
    }

    public bool Contains(long page) => page < _end && (_words[page >> 6] & (1UL << (int)(page & 63))) != 0;

    public void Remove(long page)
    {
        if (!Contains(page)) return;
        _words[page >> 6] &= ~(1UL << (int)(page & 63));
        Count--;
    }

    public void AddRange(long first, long count)
    {
        for (var page = first; page < first + count; page++) Add(page);
    }

    public void AddAll(PageSet other)
    {
        for (long from = 0; other.NextRun(from, long.MaxValue, out var first, out var count); from = first + count)
            AddRange(first, count);
    }

    /// <summary>The first run of pages at or after one, of limited length.</summary>
    public bool NextRun(long from, long most, out long first, out long count)
    {
        first = Next(from, inverted: false);
        count = 0;
        if (first >= _end) return false;
        count = Math.Min(Next(first, inverted: true) - first, most);
        return true;
    }

    public void Clear()
    {
        NativeMemory.Clear(_words, (nuint)((_end + 63) / 64 * sizeof(ulong)));
        Count = 0;
        _end = 0;
    }

    public void Dispose()
    {
        NativeMemory.Free(_words);
        _words = null;
    }

    private long Next(long from, bool inverted)
    {
        while (from < _end)
        {
            var word = (inverted ? ~_words[from >> 6] : _words[from >> 6]) >> (int)(from & 63);
            if (word != 0) return Math.Min(from + BitOperations.TrailingZeroCount(word), _end);
            from = (from | 63) + 1;
        }
        return _end;
    }
}
