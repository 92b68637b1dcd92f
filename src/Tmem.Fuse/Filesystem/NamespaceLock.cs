namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The lock of entries, trees, links, references, owners, extended attributes and pools, and of every allocation, commit and
/// freeing of a record. The outermost of the file system's locks (<see cref="LockOrder"/>), not re-entrant.
/// </summary>
/// <param name="records">The engine's lock around changes of records, which a sync takes too.</param>
internal sealed class NamespaceLock(Lock records)
{
    /// <summary>Waits for the lock and holds it until the returned value is disposed of.</summary>
    public Hold Enter()
    {
        LockOrder.Waits(LockRank.Names);
        var inner = records.EnterScope();
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
