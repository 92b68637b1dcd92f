using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The file system: names and attributes in records of the region, contents in objects of the engine, a pool for each first-level
/// directory. It receives the requests, takes the namespace lock, looks up the nodes, and calls the classes that do the work.
/// <para>
/// Locks, in the order in which they are taken; no thread takes an earlier one while it holds a later one, nor two of one line
/// (<see cref="LockOrder"/> asserts it):
/// <list type="number">
/// <item>the namespace lock: entries, trees, links, references, owners, extended attributes, pools, and every allocation, commit
/// and freeing of a record;</item>
/// <item>a file's lock (FileData): shared by reads and writes, alone for truncation and large holes;</item>
/// <item>a page's lock (FileData): shared by writers of the whole page, alone for a change of a part;</item>
/// <item>the engine's own.</item>
/// </list>
/// Read, Write, Seek, Allocate and GetAttributes take no namespace lock (except Write and truncation when a file has privileges
/// to lose); size, mode and times are single words that they read and change atomically. The inode stays, because the kernel
/// holds it open or looked up; for inodes without a name or reference see <see cref="DeadInodes"/>.
/// </para>
/// <para>Times of access are not kept (noatime): a read of swap must not write.</para>
/// <para>
/// A crash between any two stores leaves a state that recovery understands: an operation on names is undone or has happened (<see
/// cref="Journal"/>), and one that has happened is not carried out again when its request is sent again (<see cref="Answers"/>).
/// Records freed without the journal are dead already. docs/crash-safety.md covers the operations one by one.
/// </para>
/// </summary>
internal sealed partial class TmemFileSystem : IFileSystem, IPoolDirectory
{
    private readonly TmemEngine _engine;
    private readonly TmemClient _client;
    private readonly RecordStore _records;
    private readonly NamespaceLock _lock;
    private readonly BoundedHold _hold;
    private readonly FileData _data;
    private readonly InodeTable _inodes;
    private readonly DirectoryIndex _index;
    private readonly Journal _journal;
    private readonly ExtendedAttributes _attributes;
    private readonly LinkTargets _targets;
    private readonly PoolTable _pools = new();
    private readonly RunningCheck _check;
    private readonly DeadInodes _dead;
    private readonly KernelReferences _kernel;
    private readonly Answers _answers;
    private readonly Names _names;
    private readonly Renames _renames;
    private readonly DirectoryListing _listing;
    private readonly Paths _paths;
    private readonly StaleNames _stale;
    private readonly Removals _removals;
    private readonly PoolDirectories _poolDirectories;
    private readonly PoolChanges _poolChanges;
    private readonly PoolEmptying _poolEmptying;
    private readonly InodeChanges _changes;
    private readonly StoreRoom _room;
    private readonly int _mostNamed;
    private readonly bool _keepsNameless;
    private readonly Lock _checking = new();

    /// <summary>Makes the root of an empty region, or takes up what a region holds.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="client">The client that owns the pools of this file system and no others.</param>
    /// <exception cref="RegionException">No room for the root, or metadata of another version.</exception>
    public TmemFileSystem(TmemEngine engine, TmemClient client) : this(engine, client, NameHash.Full) { }

    /// <summary>As the other, with fewer bits of name hash, so that names collide.</summary>
    internal TmemFileSystem(TmemEngine engine, TmemClient client, ulong hashMask)
        : this(engine, client, hashMask, engine.DropsDamaged, Damage.MaximumSentences) { }

    /// <summary>
    /// As the other; whether damaged records are freed, or left for <see cref="Verify"/> to name, is not the engine's to say,
    /// and so many problems are named.
    /// </summary>
    internal TmemFileSystem(TmemEngine engine, TmemClient client, ulong hashMask, bool dropsDamaged, int mostNamed)
    {
        (_mostNamed, Damage) = (mostNamed, new Damage(mostNamed));
        (_engine, _client, _records) = (engine, client, engine.Records);
        _lock = new NamespaceLock(engine.RecordsLock);
        _hold = new BoundedHold(_lock);
        _data = new FileData(client, _records);
        _inodes = new InodeTable(_records, _data, Volume.FindOrMake(_records, Damage, engine.RegionName));
        ref var volume = ref _inodes.Volume;
        var hash = new NameHash(in volume.HashKey, hashMask);
        _index = new DirectoryIndex(_records, in hash);
        _journal = new Journal(_records, new RecordRef(volume.Journal));
        _attributes = new ExtendedAttributes(_records, _journal, hash);
        _targets = new LinkTargets(_records, _inodes);
        _check = new RunningCheck(_records, _inodes);
        _dead = new DeadInodes(_lock, _records, _inodes, _attributes, _data, _check);
        _answers = new Answers(_records, in volume.Answers, ++volume.Processes);
        _kernel = new KernelReferences(_journal, _inodes, _pools, _answers, _dead);
        _names = new Names(_records, _journal, _inodes, _index, _targets, _pools, _check, _kernel, _dead);
        _renames = new Renames(_journal, _inodes, _index, _names, _kernel);
        _listing = new DirectoryListing(_records, _journal, _inodes, _index, _names, _answers, _kernel);
        _paths = new Paths(_hold, _records, _inodes, _index, _pools);
        _changes = new InodeChanges(_lock, _inodes, _attributes, _journal);
        _room = new StoreRoom(engine, client);
        var recovery = new Recovery(client, _records, _journal, _inodes, _index, _attributes, _pools, _data, Damage,
            _paths, dropsDamaged);
        recovery.Run(_dead.TakeUp);
        (_keepsNameless, RemovalsLeft) = (recovery.KeepsNameless, _pools.Ending);
        _stale = new StaleNames(_lock, _records, _inodes, _index) { RoomLeft = () => _dead.WorkLeft?.Invoke() };
        _removals = new Removals(_hold, _records, _inodes, _index, _pools, _names, _dead, _stale, recovery.FirstHeld);
        _poolDirectories = new PoolDirectories(
            _lock, client, _records, _inodes, _index, _attributes, _pools, _names, _kernel, _removals, _stale);
        _poolChanges = new PoolChanges(_lock, client, _inodes, _pools, _names, _removals);
        _poolEmptying = new PoolEmptying(
            _lock, client, _records, _journal, _inodes, _index, _attributes, _pools, _names, _check, _kernel, _removals,
            _stale);
    }

    /// <summary>What was found damaged when the file system was taken up.</summary>
    public Damage Damage { get; }

    /// <summary>Number of inodes.</summary>
    public long Inodes => _inodes.Count;

    /// <summary>Directories whose removal a dead process has left unfinished.</summary>
    public long RemovalsLeft { get; }

    /// <summary>For tests: see <see cref="FileData.BeforeStep"/>.</summary>
    internal Action? BeforeStep { set => _data.BeforeStep = value; }

    /// <summary>The most steps that the management took under one hold of the namespace lock.</summary>
    internal int LongestHold => _hold.Longest;

    /// <summary>
    /// To be called after a new mount: a new kernel connection knows no nodes and has nothing open. Forgets answers, lookups and
    /// handles of earlier ones, and frees the inodes that only they kept alive.
    /// </summary>
    public void DropKernelReferences()
    {
        using var held = _lock.Enter();
        _answers.Clear();
        _records.ForEach(RecordKind.Inode, inode =>
        {
            ref var record = ref _inodes[inode];
            var wasDead = record.IsDead;
            KernelReferences.Clear(ref record);
            // The request that began it does not come again.
            if (record.IsRegular && _inodes.IsWhole(inode) && !record.IsDead) _data.FinishTruncation(inode);
            if (wasDead || _keepsNameless || inode == _inodes.Root || !_inodes.IsWhole(inode)
                || _dead.IfDead(inode).IsNone) return;
            // No other thread works: the walk frees as it goes.
            _dead.Flush(inode);
            _dead.Free(inode);
        });
        foreach (var pool in _pools.All()) pool.OpenFiles = 0;
    }

    /// <inheritdoc/>
    public Errno CreatePool(
        string name, in PoolOptions options, uint mode, out PoolId id, bool forSwap = false, PoolOwner owner = default) =>
        _poolDirectories.Create(name, options, mode, forSwap ? InodeFlags.Swap : 0, owner, out id);

    /// <inheritdoc/>
    public Errno ChangePool(string name, in PoolChange change) => _poolChanges.Change(name, change);

    /// <inheritdoc/>
    public Errno EmptyPool(string name, out long pages) => _poolEmptying.Empty(name, out pages);

    /// <inheritdoc/>
    public Errno DestroyPool(string name, bool force) => _poolDirectories.Destroy(name, force);

    /// <inheritdoc/>
    public IReadOnlyList<NamedPool> Pools() => _poolDirectories.List();

    /// <inheritdoc cref="PoolDirectories.OpenFiles"/>
    public long OpenFiles() => _poolDirectories.OpenFiles();

    /// <inheritdoc/>
    public string FileOf(in PageHandle page) => _paths.FileOf(in page);

    /// <inheritdoc/>
    public IReadOnlyList<string> Verify()
    {
        lock (_checking)
        {
            return new FileSystemVerifier(
                _client, _records, _journal, _inodes, _index, _attributes, _pools, _data, _check, _hold, _paths, _dead,
                _mostNamed).Run();
        }
    }
}
