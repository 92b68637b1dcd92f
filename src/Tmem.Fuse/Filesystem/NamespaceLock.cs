namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The lock of entries, trees, links, references, owners, extended attributes and pools, and of every allocation, commit and
/// freeing of a record. The outermost of the file system's (<see cref="LockOrder"/>), not re-entrant.
/// </summary>
internal sealed class NamespaceLock
{
    private readonly Lock _lock = new();

    /// <summary>Waits for the lock and holds it until what is returned is disposed of.</summary>
    public Hold Enter()
    {
        LockOrder.Waits(LockRank.Names);
        var inner = _lock.EnterScope();
        LockOrder.Entered(LockRank.Names);
        return new Hold(inner);
    }

    public ref struct Hold(Lock.Scope inner)
    {
        private Lock.Scope _inner = inner;

        public void Dispose()
        {
            LockOrder.Left(LockRank.Names);
            _inner.Dispose();
        }
    }
}
