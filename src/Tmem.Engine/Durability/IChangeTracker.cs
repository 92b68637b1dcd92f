namespace Tmem.Engine.Durability;

/// <summary>Knows which pages of a region have been written.</summary>
internal interface IChangeTracker : IDisposable
{
    ChangeTracking Kind { get; }

    /// <summary>Bytes of the region have become zeros without a write. By any thread, with latches held.</summary>
    void Punched(long offset, long length);

    /// <summary>
    /// Adds the pages between two offsets that may have been written since they were last collected, or ever; a page too many is
    /// allowed, one too few never. A write during the call is found by this one or by the next.
    /// </summary>
    void Collect(PageSet changed, long start, long end);
}
