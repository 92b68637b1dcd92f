namespace Tmem.Soak;

/// <summary>
/// What one thread knows of a pool that it alone uses: for each handle the number of the page it put there last.
/// </summary>
internal sealed class PoolModel(PoolOptions options)
{
    private readonly Dictionary<ulong, SortedList<uint, long>> _objects = [];

    public PoolOptions Options { get; } = options;
    public PoolId Id { get; set; }

    public bool IsPersistent => (Options.Flags & PoolFlags.Persistent) != 0;
    public bool GetConsumes => (Options.Flags & (PoolFlags.Persistent | PoolFlags.Shared)) == 0;

    public bool TryGet(ulong obj, uint index, out long number)
    {
        number = 0;
        return _objects.TryGetValue(obj, out var pages) && pages.TryGetValue(index, out number);
    }

    public void Set(ulong obj, uint index, long number)
    {
        if (!_objects.TryGetValue(obj, out var pages)) _objects[obj] = pages = [];
        pages[index] = number;
    }

    public bool Remove(ulong obj, uint index) => _objects.TryGetValue(obj, out var pages) && pages.Remove(index);

    public int Count(ulong obj) => _objects.TryGetValue(obj, out var pages) ? pages.Count : 0;

    /// <summary>Takes a range out; returns how many pages it had.</summary>
    public int RemoveRange(ulong obj, uint first, uint last)
    {
        if (!_objects.TryGetValue(obj, out var pages)) return 0;
        var gone = pages.Keys.Where(index => index >= first && index <= last).ToList();
        if (gone.Count == pages.Count) _objects.Remove(obj);
        else gone.ForEach(index => pages.Remove(index));
        return gone.Count;
    }

    /// <summary>The lowest index at or above one.</summary>
    public uint? Next(ulong obj, uint from)
    {
        if (!_objects.TryGetValue(obj, out var pages)) return null;
        var (low, high) = (0, pages.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (pages.GetKeyAtIndex(middle) < from) low = middle + 1;
            else high = middle;
        }
        return low < pages.Count ? pages.GetKeyAtIndex(low) : null;
    }

    public void Clear() => _objects.Clear();

    public List<(ulong Object, uint Index, long Number)> All() =>
        [.. _objects.SelectMany(obj => obj.Value.Select(page => (obj.Key, page.Key, page.Value)))];
}
