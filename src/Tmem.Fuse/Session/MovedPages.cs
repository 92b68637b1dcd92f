namespace Tmem.Fuse.Session;

/// <summary>
/// Counts what requests move, and wakes a waiting thread each time it comes to so many pages. The session threads count without
/// a lock, since mostly the leading one does: a count that is lost delays the next wake-up by a request. Replies that are sent
/// later are not counted: they wait for a device, and move no pages.
/// </summary>
/// <param name="pages">How many.</param>
internal sealed class MovedPages(int pages) : IDisposable
{
    private const int PageBytes = 4096;

    private readonly AutoResetEvent _enough = new(false);
    private long _bytes;

    /// <summary>A request of so many bytes has been answered with so many.</summary>
    public void Add(int request, int reply)
    {
        var sum = Volatile.Read(ref _bytes) + request + reply;
        var isEnough = sum >= (long)pages * PageBytes;
        Volatile.Write(ref _bytes, isEnough ? 0 : sum);
        if (isEnough) _enough.Set();
    }

    /// <summary>Returns once so many pages have been moved since the last return.</summary>
    public void Wait() => _enough.WaitOne();

    public void Dispose() => _enough.Dispose();
}
