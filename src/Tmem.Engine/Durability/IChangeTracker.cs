namespace Tmem.Engine.Durability;

/// <summary>Tracks which pages of a region have been written.</summary>
internal interface IChangeTracker : IDisposable
{
    ChangeTracking Kind { get; }

    /// <summary>Bytes of the region have become zeros without a write. Called by any thread, with latches held.</summary>
    void Punched(long offset, long length);

    /// <summary>
    /// Adds the pages between two offsets that may have been written since they were last collected, or ever: possibly a page too
    /// many, never one too few. A write during the call is found by this one or by the next.
    /// </summary>
    void Collect(PageSet changed, long start, long end);

    /// <summary>
    /// The image takes a page with this content, read after the page was collected: any other content is a change from now on,
    /// also the one that was collected, to which the page may return.
    /// </summary>
    void Taken(long page, ReadOnlySpan<byte> content);
}
