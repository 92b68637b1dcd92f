using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The file system: names and attributes in records of the region, contents in objects of the engine, a pool to each first-level
/// directory.
/// <para>
/// Locks, in the order they are taken; nobody takes an earlier one while holding a later one, nor two of one line:
/// <list type="number">
/// <item>the namespace lock (<c>_names</c>): entries, trees, links, references, owners, extended attributes, pools, and every
/// allocation, commit and freeing of a record;</item>
/// <item>a file's lock (FileData): shared by reads and writes, alone for truncation and large holes;</item>
/// <item>a page's lock (FileData): shared by writers of the whole page, alone for a change of a part;</item>
/// <item>the engine's own.</item>
/// </list>
/// Read, Write, Seek, Allocate and GetAttributes take no namespace lock (but Write and truncation when a file has privileges to
/// lose); size, mode and times are single words that they read and change atomically. An inode they work on stays, because the
/// kernel holds it open or looked up. An inode that nobody names or knows any more is first made dead under the namespace lock,
/// then its pages are flushed outside of it (of a large file in steps, by another thread: TmemFileSystem.Dead.cs), then its
/// records are freed.
/// </para>
/// <para>Times of access are not kept up to date (noatime): a read of swap must not write.</para>
/// <para>
/// A crash between any two stores leaves what recovery understands: an operation on names is undone or has happened
/// (<see cref="Journal"/>), and one that has happened is not carried out again when its request is sent again
/// (<see cref="Answers"/>). What is freed without the journal is dead already. docs/crash-safety.md goes through the operations
/// one by one.
/// </para>
/// </summary>
internal sealed partial class TmemFileSystem : IFileSystem, IPoolDirectory
{
    private readonly TmemEngine _engine;
    private readonly TmemClient _client;
    private readonly RecordStore _records;
    private readonly Lock _names = new();
    private readonly Journal _journal;
    private readonly Answers _answers;
    private readonly FileData _data;
    private readonly InodeTable _inodes;
    private readonly DirectoryIndex _index;
    private readonly ExtendedAttributes _attributes;
    private readonly PoolTable _pools = new();
    private readonly bool _keepsNameless;
    private readonly BoundedHold _steps = new();
    private readonly Lock _checking = new();
    private RunningCheck? _check;
    private long _dying;

    /// <summary>Makes the root of an empty region, or takes up what a region holds.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="client">The client that owns the pools of this file system, and nobody else's.</param>
    /// <exception cref="RegionException">No room for the root, or metadata of another version.</exception>
    public TmemFileSystem(TmemEngine engine, TmemClient client) : this(engine, client, NameHash.Full) { }

    /// <summary>As the other, with fewer bits of name hash, so that names collide.</summary>
    internal TmemFileSystem(TmemEngine engine, TmemClient client, ulong hashMask)
        : this(engine, client, hashMask, engine.DropsDamaged) { }

    /// <summary>
    /// As the other; whether damaged records are freed, or left for <see cref="Verify"/> to name, is not the engine's to say.
    /// </summary>
    internal TmemFileSystem(TmemEngine engine, TmemClient client, ulong hashMask, bool dropsDamaged)
    {
        _engine = engine;
        _client = client;
        _records = engine.Records;
        engine.RecordsLock = action => { lock (_names) action(); };
        _data = new FileData(client, _records);
        var volume = Volume.FindOrMake(_records, Damage);
        _inodes = new InodeTable(_records, _data, volume);
        var hash = new NameHash(in _inodes.Volume.HashKey, hashMask);
        _index = new DirectoryIndex(_records, in hash);
        _journal = new Journal(_records, new RecordRef(_inodes.Volume.Journal));
        _answers = new Answers(_records, in _inodes.Volume.Answers, ++_inodes.Volume.Processes);
        _attributes = new ExtendedAttributes(_records, _journal, hash);
        var recovery = new Recovery(_client, _records, _journal, _inodes, _index, _attributes, _pools, _data, Damage,
            dropsDamaged);
        recovery.Run(TakeUpDead);
        _keepsNameless = recovery.KeepsNameless;
        (_firstLeft, RemovalsLeft) = (recovery.FirstHeld, _pools.Ending);
    }

    /// <summary>What was found damaged when the file system was taken up.</summary>
    public Damage Damage { get; } = new();

    /// <summary>Files, directories and whatever else has an inode.</summary>
    public long Inodes => _inodes.Count;

    /// <summary>
    /// To be called after a new mount: a new kernel connection knows no nodes and has nothing open. Forgets answers, lookups and
    /// handles of earlier ones, and frees the inodes that were only kept for them.
    /// </summary>
    public void DropKernelReferences()
    {
        lock (_names)
        {
            _answers.Clear();
            _records.ForEach(RecordKind.Inode, inode =>
            {
                ref var record = ref _inodes[inode];
                var wasDead = record.IsDead;
                record.Lookups = 0;
                record.Opens = 0;
                record.Kept = 0;
                record.Lower(InodeFlags.TimeWasSet);
                // The request that began it does not come again.
                if (record.IsRegular && _inodes.IsWhole(inode) && !record.IsDead) _data.FinishTruncation(inode);
                // Nobody else works: the walk frees as it goes.
                if (!wasDead && !_keepsNameless && inode != _inodes.Root && _inodes.IsWhole(inode) && Dies(inode)) Reap(inode);
            });
            foreach (var pool in _pools.All()) pool.OpenFiles = 0;
        }
    }

    /// <summary>
    /// An inode that was dead when its process died. Clients wait, so the pages of a large one go when they are served.
    /// </summary>
    private void TakeUpDead(RecordRef inode)
    {
        _dying++;
        if (_inodes[inode].IsRegular && _data.Pages(inode).Count() > FewPages) Chain(inode);
        else FreeDead(inode);
    }

    /// <summary>
    /// Whether an inode has just become dead; the caller, who holds the namespace lock, then reaps it once that is released.
    /// </summary>
    private bool Dies(RecordRef inode)
    {
        if (!_inodes[inode].IsDead || _inodes[inode].Has(InodeFlags.Held)) return false;
        _dying++;
        return true;
    }

    /// <summary>The inode of a node id that must be a living directory.</summary>
    private Errno ResolveDirectory(NodeId node, out RecordRef directory)
    {
        var error = _inodes.Resolve(node, out directory);
        if (error != Errno.Ok) return error;
        return _inodes[directory].IsDirectory ? Errno.Ok : Errno.ENOTDIR;
    }

    /// <summary>The inode of a node id that must be a regular file: EISDIR for a directory, EINVAL for anything else.</summary>
    private Errno ResolveFile(NodeId node, out RecordRef file)
    {
        var error = _inodes.Resolve(node, out file);
        if (error != Errno.Ok) return error;
        ref var inode = ref _inodes[file];
        if (inode.IsRegular) return Errno.Ok;
        return inode.IsDirectory ? Errno.EISDIR : Errno.EINVAL;
    }

    /// <summary>Notes a change of the names in a directory.</summary>
    private void TouchDirectory(RecordRef directory)
    {
        ref var inode = ref _inodes[directory];
        inode.ModifyTime = inode.ChangeTime = FileClock.Now();
    }

    /// <summary>The most steps that the management took under one hold of the namespace lock.</summary>
    internal int LongestHold
    {
        get { lock (_names) return _steps.Longest; }
    }

    private void TouchChange(RecordRef inode) => Volatile.Write(ref _inodes[inode].ChangeTime, FileClock.Now());

    /// <summary>Frees a record that was prepared and is not to be, if it was.</summary>
    private void Discard(RecordRef record)
    {
        if (!record.IsNone) _records.Free(record);
    }
}
