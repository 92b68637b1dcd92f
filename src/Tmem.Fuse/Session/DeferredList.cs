namespace Tmem.Fuse.Session;

/// <summary>
/// Deferred replies in FIFO order, linked through the table itself: a list takes no memory but its two ends. One thread at a
/// time.
/// </summary>
internal sealed class DeferredList(DeferredTable table)
{
    private int _first = DeferredReply.Nobody;
    private int _last = DeferredReply.Nobody;

    public bool IsEmpty => _first == DeferredReply.Nobody;

    /// <summary>Appends an entry.</summary>
    public void Add(int entry)
    {
        table[entry].Next = DeferredReply.Nobody;
        if (IsEmpty) _first = entry;
        else table[_last].Next = entry;
        _last = entry;
    }

    /// <summary>Takes the first, or <see cref="DeferredReply.Nobody"/>.</summary>
    public int TakeFirst()
    {
        var entry = _first;
        if (!IsEmpty) _first = table[entry].Next;
        return entry;
    }

    /// <summary>Takes all: the first, or <see cref="DeferredReply.Nobody"/>; the others follow it by their links.</summary>
    public int TakeAll()
    {
        var entry = _first;
        _first = DeferredReply.Nobody;
        return entry;
    }
}
