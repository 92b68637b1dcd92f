using Tmem.Engine.Format;

namespace Tmem.Engine.Durability;

/// <summary>
/// Tracks which pages of the image have blocks on the disk, so that the others get theirs before a journal with them counts: what
/// was promised can then be written in its place however full the disk has become. A copy-on-write file system (btrfs) may need
/// new blocks all the same; a write that it refuses is then applied piece by piece (<see cref="Journal"/>).
/// </summary>
internal sealed class ImageSpace(IImageFile file, long imageBytes) : IDisposable
{
    private readonly PageSet _has = new(imageBytes);
    private readonly PageSet _new = new(imageBytes);
    private readonly PageSet _punched = new(imageBytes);
    private bool _isKnown;

    /// <summary>Whether a page may have a block; without one it reads as zeros.</summary>
    public bool Has(long page)
    {
        Look();
        return _has.Contains(page);
    }

    /// <summary>Allocates blocks for the pages of a run that have none. Returns an errno; some may have got theirs.</summary>
    public int Reserve(long first, long count)
    {
        Look();
        for (var page = first; page < first + count;)
        {
            if (_has.Contains(page)) { page++; continue; }
            var end = page + 1;
            while (end < first + count && !_has.Contains(end)) end++;
            if (file.Allocate(page * RegionLayout.PageSize, (end - page) * RegionLayout.PageSize) is var error and not 0)
            {
                // Part of it may have been allocated.
                _new.AddRange(page, end - page);
                return error;
            }
            _has.AddRange(page, end - page);
            _new.AddRange(page, end - page);
            page = end;
        }
        return 0;
    }

    /// <summary>The reserved blocks will be used.</summary>
    public void Keep() => _new.Clear();

    /// <summary>Punches the blocks reserved since: they have only held zeros.</summary>
    public void GiveBack()
    {
        for (long from = 0; _new.NextRun(from, long.MaxValue, out var first, out var count); from = first + count)
        {
            _ = file.Punch(first * RegionLayout.PageSize, count * RegionLayout.PageSize);
            for (var page = first; page < first + count; page++) _has.Remove(page);
        }
        _new.Clear();
    }

    /// <summary>Pages were punched; until that is durable they may still have their blocks, with the old contents.</summary>
    public void Punched(long first, long count) => _punched.AddRange(first, count);

    /// <summary>Pages were written.</summary>
    public void Written(long first, long count)
    {
        // A journal that was found has pages that were not reserved here.
        if (_isKnown) _has.AddRange(first, count);
        if (_punched.Count == 0) return;
        for (var page = first; page < first + count; page++) _punched.Remove(page);
    }

    /// <summary>The punches are durable.</summary>
    public void Synced()
    {
        for (long from = 0; _punched.NextRun(from, long.MaxValue, out var first, out var count); from = first + count)
            for (var page = first; page < first + count; page++) _has.Remove(page);
        _punched.Clear();
    }

    /// <summary>Resets, for a file that was created anew.</summary>
    public void Forget()
    {
        _has.Clear();
        _new.Clear();
        _punched.Clear();
        _isKnown = false;
    }

    public void Dispose()
    {
        _has.Dispose();
        _new.Dispose();
        _punched.Dispose();
    }

    private void Look()
    {
        if (_isKnown) return;
        _isKnown = true;
        for (long from = 0; from < imageBytes && file.NextData(from, out var start, out var end); from = end)
        {
            if (start >= imageBytes) return;
            var first = start / RegionLayout.PageSize;
            _has.AddRange(first, (Math.Min(end, imageBytes) + RegionLayout.PageSize - 1) / RegionLayout.PageSize - first);
        }
    }
}
