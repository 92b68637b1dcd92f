namespace Tmem.Engine.Region;

/// <summary>
/// One caller's search for room, over all its tries. What compaction wins counts only if less is in use then than at any of them:
/// a try that finds a place for the first of its slots and none for the second gives back what it took, to be won once more and
/// taken once more, and so for ever.
/// </summary>
internal struct RoomSearch
{
    private long _least;

    /// <summary>The caller has found no room with so many bytes in use.</summary>
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
