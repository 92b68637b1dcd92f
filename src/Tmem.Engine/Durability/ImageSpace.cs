using Tmem.Engine.Format;

namespace Tmem.Engine.Durability;

/// <summary>
/// Which pages of the image have their blocks on the disk, so that those which have none are given them before a journal with
/// such pages counts: what was promised can then be written in its place however full the disk has become. A file system that
/// copies what it writes (btrfs) may want new blocks all the same; what it refuses is then carried out piece by piece (<see
/// cref="Journal"/>).
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

    /// <summary>Gives blocks to those of a run of pages that have none. Answers an errno; some may have got theirs.</summary>
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
                // A part of it may be there.
                _new.AddRange(page, end - page);
                return error;
            }
            _has.AddRange(page, end - page);
            _new.AddRange(page, end - page);
            page = end;
        }
        return 0;
    }

    /// <summary>What was reserved is going to be used.</summary>
    public void Keep() => _new.Clear();

    /// <summary>What was reserved since is of no use: nothing but zeros was ever there.</summary>
    public void GiveBack()
    {
        for (long from = 0; _new.NextRun(from, long.MaxValue, out var first, out var count); from = first + count)
        {
            _ = file.Punch(first * RegionLayout.PageSize, count * RegionLayout.PageSize);
            for (var page = first; page < first + count; page++) _has.Remove(page);
        }
        _new.Clear();
    }

    /// <summary>Pages were punched; until that is durable they may have their blocks, and what was in them.</summary>
    public void Punched(long first, long count) => _punched.AddRange(first, count);

    /// <summary>A page was written.</summary>
    public void Written(long first, long count)
    {
        // A journal that was found has pages that nobody reserved.
        if (_isKnown) _has.AddRange(first, count);
        if (_punched.Count == 0) return;
        for (var page = first; page < first + count; page++) _punched.Remove(page);
    }

    /// <summary>What was punched is durable.</summary>
    public void Synced()
    {
        for (long from = 0; _punched.NextRun(from, long.MaxValue, out var first, out var count); from = first + count)
            for (var page = first; page < first + count; page++) _has.Remove(page);
        _punched.Clear();
    }

    /// <summary>Forgets what is known, for a file that was made anew.</summary>
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
