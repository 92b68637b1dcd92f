namespace Tmem.Engine.Region;

/// <summary>
/// One caller's search for room, over all its tries. What compaction wins counts only if less memory is in use than at any
/// earlier try: otherwise a try that finds a slot for the first of its needs and none for the second would give back what it
/// took, to be won and taken again, for ever.
/// </summary>
internal struct RoomSearch
{
    private long _least;

    /// <summary>The caller has found no room with this many bytes in use.</summary>
    public void Begin(long inUse)
    {
        if (_least == 0) _least = inUse;
    }

    /// <summary>Whether there is more room than at any try so far; the next one has to beat this.</summary>
    public bool IsMet(long inUse)
    {
        if (inUse >= _least) return false;
        _least = inUse;
        return true;
    }
}
