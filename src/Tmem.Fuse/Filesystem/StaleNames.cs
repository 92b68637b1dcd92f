using Tmem.Engine.Records;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Names that the management has removed and that the kernel may still remember. Nobody asks for them again, so the kernel would
/// keep them, and we the inodes and attributes behind them, until the machine runs short of memory. Another thread tells the
/// kernel, which waits for whoever works in a directory, and so for our replies: it must be none that gives one, and has its
/// share of the removal, a few names in a ring, so that it is never far behind. What is in use when the kernel is told goes with
/// its last use. A process that dies leaves the names in its ring, and that of the pool, to the kernel's cache.
/// <para>
/// A hint, and no more: a kernel that does not listen for a second is told nothing until it does.
/// </para>
/// </summary>
internal sealed class StaleNames(NamespaceLock namespaceLock, RecordStore records, InodeTable inodes, DirectoryIndex index)
{
    private const int Places = 64;
    private const int Patience = 1000;

    private readonly Name[] _ring = new Name[Places];
    private readonly byte[] _bytes = new byte[Places * DirectoryIndex.MaximumName];
    // Under it no other lock is taken; the namespace lock comes before it.
    private readonly object _gate = new();
    private int _first;
    private int _count;
    private bool _isFull;
    private bool _isTold = true;
    private bool _isDeaf;
    private volatile Action? _namesLeft;

    /// <summary>The generation tells the directory from a later one in its place.</summary>
    private readonly record struct Name(RecordRef Directory, ulong Generation, int Length);

    /// <summary>Called when there is something to tell; null if nobody tells the kernel, and then nothing is kept.</summary>
    public Action? NamesLeft
    {
        set
        {
            lock (_gate)
            {
                _namesLeft = value;
                (_count, _isFull, _isTold, _isDeaf) = (0, false, true, false);
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>Called when a ring that was full is empty.</summary>
    public Action? RoomLeft { get; set; }

    /// <summary>Whether a name found no room: then none comes in until the ring is empty.</summary>
    public bool IsFull
    {
        get { lock (_gate) return _isFull; }
    }

    /// <summary>Keeps a name that is about to be removed. Under the namespace lock. False if the ring is full.</summary>
    public bool TryAdd(RecordRef directory, ReadOnlySpan<byte> name)
    {
        lock (_gate)
        {
            if (_namesLeft is null || _isDeaf) return true;
            _isFull |= _count == Places;
            if (_isFull) return false;
            var place = (_first + _count++) % Places;
            _ring[place] = new Name(directory, inodes[directory].Generation, name.Length);
            name.CopyTo(_bytes.AsSpan(place * DirectoryIndex.MaximumName));
            _isTold = false;
            return true;
        }
    }

    /// <summary>After the namespace lock was released: has the kernel be told.</summary>
    public void Tell()
    {
        bool isLeft;
        lock (_gate) isLeft = _count > 0;
        if (isLeft) _namesLeft?.Invoke();
    }

    /// <summary>Tells a last name, and returns when the kernel knows of all: what it forgets then is on its way to us.</summary>
    public void TellAll(RecordRef directory, ReadOnlySpan<byte> name)
    {
        AwaitRoom();
        using (namespaceLock.Enter()) TryAdd(directory, name);
        Tell();
        lock (_gate)
            while (!_isTold && !_isDeaf) Await();
    }

    /// <summary>Returns when there is room, or nobody listens. On a thread that serves nobody.</summary>
    public void AwaitRoom()
    {
        lock (_gate)
            while (_isFull) Await();
    }

    /// <summary>
    /// Takes the next name that the kernel must drop. False if there is none. The caller has told it of the last one.
    /// </summary>
    /// <param name="name">Room for a name.</param>
    /// <param name="directory">Where it was.</param>
    /// <param name="length">The name's.</param>
    public bool TryTake(Span<byte> name, out NodeId directory, out int length)
    {
        while (TryTake(name, out var taken))
        {
            length = taken.Length;
            using var held = namespaceLock.Enter();
            directory = inodes.NodeOf(taken.Directory);
            if (MustGo(in taken, name[..length])) return true;
        }
        (directory, length) = (default, 0);
        return false;
    }

    private bool TryTake(Span<byte> name, out Name taken)
    {
        bool wasFull;
        lock (_gate)
        {
            taken = default;
            _isDeaf = false;
            _isTold = _count == 0;
            wasFull = _isFull && _isTold;
            if (_isTold) _isFull = false;
            else
            {
                taken = _ring[_first];
                _bytes.AsSpan(_first * DirectoryIndex.MaximumName, taken.Length).CopyTo(name);
                (_first, _count) = ((_first + 1) % Places, _count - 1);
            }
            Monitor.PulseAll(_gate);
            if (!_isTold) return true;
        }
        if (wasFull) RoomLeft?.Invoke();
        return false;
    }

    /// <summary>
    /// Not a name that leads to something newer which the kernel has found there: it has dropped the old one.
    /// </summary>
    private bool MustGo(in Name name, ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (!inodes.IsWhole(name.Directory) || inodes[name.Directory] is not { IsDirectory: true } directory
                || directory.Generation != name.Generation) return false;
            var entry = index.Find(name.Directory, bytes);
            return entry.IsNone || inodes[new RecordRef(records.Get<EntryRecord>(entry).Child)].Lookups == 0;
        }
        catch (DamagedRecordException)
        {
            return false;
        }
    }

    /// <summary>With the gate held: until something was taken. If nobody takes any for long, nothing is kept.</summary>
    private void Await()
    {
        if (Monitor.Wait(_gate, Patience)) return;
        (_count, _isFull, _isDeaf) = (0, false, true);
        Monitor.PulseAll(_gate);
    }
}
