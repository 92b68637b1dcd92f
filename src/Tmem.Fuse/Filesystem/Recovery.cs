using System.Text;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Takes up the file system that a region holds: undoes the interrupted operation on names, drops what no name leads to, and
/// computes every derived field of the records anew. Runs before any other thread works, and may be interrupted and run again. A
/// new file system passes through it as well, so that there is only one way to start. Clients wait, so it only rebuilds derived
/// fields and leaves long work for later: an interrupted removal is continued once clients are served (<see cref="Removals"/>).
/// It makes four passes over the records in place: nothing here grows with their number, and the time of all passes is linear in
/// it.
/// <para>
/// No record is trusted before its sum holds. One that fails it stays where it is for <c>check</c> to name (or, with leave to
/// drop what is damaged, is freed), and costs only what it stood for: see <see cref="Salvage"/>.
/// </para>
/// </summary>
internal sealed class Recovery(
    TmemClient client, RecordStore records, Journal journal, InodeTable inodes, DirectoryIndex index,
        ExtendedAttributes attributes,
    PoolTable pools, FileData data, Damage damage, Paths paths, bool drops)
{
    /// <summary>Something without a name could not be given one, and must not be freed.</summary>
    public bool KeepsNameless { get; private set; }

    /// <summary>
    /// The first of the held directories that lead to the rest of interrupted removals, each counted as a pool that is ending.
    /// <see cref="InodeRecord.Parent"/> links the next.
    /// </summary>
    public RecordRef FirstHeld { get; private set; }

    private readonly RecordTreeBuilder<EntryRecord> _trees = new(records);
    private readonly RecordWords _words = new(records, paths);
    private long _inodes;
    private bool _namesAreLost;

    /// <param name="reap">Called with each dead inode, last.</param>
    public void Run(Action<RecordRef> reap)
    {
        var before = damage.Count;
        var notes = journal.Recover();
        if (notes > 0)
            damage.NoteMended(
                $"{notes} notes of the journal fail their sum: the operation on names that was under way may have happened "
                + "in part");
        records.ForEach(Reset);
        inodes.Adopt(_inodes);
        inodes[inodes.Root].Links = 2;
        // A damaged attribute or target costs no name.
        _namesAreLost = damage.Count > before;
        records.ForEach(Link);
        records.ForEach(RecordKind.Inode, BuildTree);
        if (_namesAreLost)
        {
            var salvage = new Salvage(client, records, journal, inodes, index, pools, damage, paths);
            AdoptPools(salvage.AdoptPools);
            KeepsNameless = !salvage.NameOrphans();
        }
        else
        {
            AdoptPools(EndPoolsWithoutDirectory);
        }
        records.ForEach(RecordKind.Inode, inode => Finish(inode, reap));
        if (drops) DropPagesWithoutFile();
        damage.Settle();
    }

    /// <summary>The pages of a lost inode are still stored, and nothing leads to them: they are dropped.</summary>
    private void DropPagesWithoutFile()
    {
        var dropped = 0L;
        foreach (var pool in client.Pools())
        {
            foreach (var contents in client.EnumerateObjects(pool))
            {
                var inode = new RecordRef(contents.Word0);
                if (inodes.IsWhole(inode) && inodes[inode].Pool == pool.Value
                    && FilePages.ObjectOf(inode, in inodes[inode]) == contents)
                    continue;
                client.FlushObject(pool, contents);
                dropped++;
            }
        }
        if (dropped > 0) damage.NoteMended($"the pages of lost inodes are dropped: those of {dropped}");
    }

    /// <summary>Frees what is no longer a record; clears the derived fields of inodes.</summary>
    private void Reset(RecordRef record, byte kind, RecordState state)
    {
        switch (state)
        {
            case RecordState.Retired:
                records.Free(record);
                break;
            case RecordState.Damaged:
                damage.Note(_words.OfDamagedHeader(record));
                if (drops) records.FreeDamaged(record);
                break;
            case RecordState.Committed when kind == RecordKind.Inode:
                ResetInode(record);
                break;
        }
    }

    private void Link(RecordRef record, byte kind, RecordState state)
    {
        if (state != RecordState.Committed) return;
        switch (kind)
        {
            case RecordKind.Entry:
                LinkEntry(record);
                break;
            case RecordKind.Attribute:
                ChainAttribute(record);
                break;
            case RecordKind.Target:
                DropTarget(record);
                break;
        }
    }

    /// <summary>A record with a whole header and damaged contents. If its pool is gone, it stands for nothing.</summary>
    /// <returns>Whether something is lost.</returns>
    private bool FailsSum(RecordRef record, byte kind)
    {
        var poolIsGone = records.PoolOf(record) is var pool && pool != default && client.PoolInfo(pool, out _) != TmemStatus.Ok;
        if (!poolIsGone) damage.Note(_words.OfDamagedContents(record, kind));
        if (drops || poolIsGone) records.Free(record);
        return !poolIsGone;
    }

    private void ResetInode(RecordRef inode)
    {
        ref var record = ref inodes[inode];
        record.Parent = 0;
        record.Children = 0;
        record.Attributes = 0;
        record.Entry = 0;
        record.AttributeCount = record.AttributeBytes = 0;
        record.Links = 0;
        record.Lower(InodeFlags.Held);
        if (!RecordSum.Holds(inode, in record))
        {
            FailsSum(inode, RecordKind.Inode);
            return;
        }
        if (record.Size > FilePages.MaximumSize)
        {
            damage.NoteMended($"inode {inode.Value} had a size of {record.Size} bytes; it has {FilePages.MaximumSize} now");
            record.Size = FilePages.MaximumSize;
        }
        _inodes++;
    }

    private void LinkEntry(RecordRef entry)
    {
        if (!RecordSum.EntryHolds(records, entry))
        {
            _namesAreLost |= FailsSum(entry, RecordKind.Entry);
            return;
        }
        ref var record = ref records.Get<EntryRecord>(entry);
        var parent = new RecordRef(record.Parent);
        var child = new RecordRef(record.Child);
        if (!inodes.IsWhole(parent) || !inodes[parent].IsDirectory || child == inodes.Root)
        {
            records.Free(entry);
            return;
        }
        if (!inodes.IsWhole(child))
        {
            Lose(entry);
            return;
        }
        if (inodes[child].IsDirectory && inodes[child].Parent != 0)
        {
            records.Free(entry);
            return;
        }
        index.Gather(_trees, entry);
        inodes[child].Entry = entry.Value;
        inodes.Named(parent, child);
    }

    /// <summary>Makes the tree of a directory whose entries are gathered.</summary>
    private void BuildTree(RecordRef directory)
    {
        if (inodes[directory].Children == 0) return;
        for (var twin = index.Build(_trees, directory); !twin.IsNone;)
        {
            var next = _trees.Next(twin);
            Forget(directory, twin);
            twin = next;
        }
    }

    /// <summary>
    /// Marks a name whose inode is gone. The name stays, so that a lookup reports the loss, and refers to no inode that may later
    /// take that place.
    /// </summary>
    private void Lose(RecordRef entry)
    {
        var directory = new RecordRef(records.Get<EntryRecord>(entry).Parent);
        var name = Encoding.UTF8.GetString(index.Name(entry));
        damage.Note(() => $"{paths.NameOf(directory).TrimEnd('/')}/{name} is lost: its inode is damaged");
        _namesAreLost = true;
        if (drops)
        {
            records.Free(entry);
            return;
        }
        index.Gather(_trees, entry);
        if (records.Get<EntryRecord>(entry).Child == 0) return;
        journal.Begin();
        index.Switch(entry, RecordRef.None, journal);
        journal.Commit();
    }

    /// <summary>
    /// Assigns the first-level directories to their pools; pools without one are the remains of a creation or removal.
    /// </summary>
    private void AdoptPools(Action<PoolSnapshot> withoutDirectory)
    {
        for (var entry = index.Next(inodes.Root, 0); !entry.IsNone;)
        {
            ref var record = ref records.Get<EntryRecord>(entry);
            var next = record.Key + 1;
            var directory = new RecordRef(record.Child);
            if (!directory.IsNone)
            {
                ref var inode = ref inodes[directory];
                if (inode.IsDirectory && client.PoolInfo(new PoolId(inode.Pool), out var info) == TmemStatus.Ok
                    && pools.Find(inode.Pool) is null)
                    pools.Add(new PoolState(info!.Id, info.Options, directory));
                else
                    DropName(inodes.Root, entry);
            }
            entry = index.Next(inodes.Root, next);
        }
        foreach (var id in client.Pools())
            if (pools.Find(id.Value) is null && client.PoolInfo(id, out var info) == TmemStatus.Ok) withoutDirectory(info!);
    }

    private void EndPoolsWithoutDirectory(PoolSnapshot pool) => client.DestroyPool(pool.Id);

    private void DropName(RecordRef directory, RecordRef entry)
    {
        index.Remove(entry);
        Forget(directory, entry);
    }

    /// <summary>Frees an entry that is in no tree, and takes it from its inode's counts.</summary>
    private void Forget(RecordRef directory, RecordRef entry)
    {
        var child = new RecordRef(records.Get<EntryRecord>(entry).Child);
        records.Free(entry);
        if (child.IsNone) return;
        ref var inode = ref inodes[child];
        if (inode.Entry == entry.Value) inode.Entry = 0;
        inodes.Unnamed(directory, child);
        if (inode.IsDirectory) inode.Parent = 0;
    }

    private void ChainAttribute(RecordRef attribute)
    {
        if (!RecordSum.AttributeHolds(records, attribute))
        {
            FailsSum(attribute, RecordKind.Attribute);
            return;
        }
        var owner = new RecordRef(records.Get<AttributeRecord>(attribute).Owner);
        if (!inodes.IsWhole(owner) || !attributes.Find(owner, attributes.Name(attribute)).IsNone
            || !attributes.Insert(owner, attribute))
            records.Free(attribute);
    }

    private void DropTarget(RecordRef target)
    {
        if (!RecordSum.TargetHolds(records, target))
        {
            FailsSum(target, RecordKind.Target);
            return;
        }
        var owner = new RecordRef(records.Get<TargetRecord>(target).Owner);
        if (!inodes.IsWhole(owner) || inodes[owner].Target != target.Value) records.Free(target);
    }

    /// <summary>
    /// After pools and names are known: reaps what is dead, and chains the directories without a name for removal.
    /// <para>
    /// Pages behind the end of a file come from an interrupted write, so only files that were open can have them (or from a
    /// truncation, which is finished later: see FileData.ClearBeyondEnd). Open handles are counted here.
    /// </para>
    /// </summary>
    private void Finish(RecordRef inode, Action<RecordRef> reap)
    {
        ref var record = ref inodes[inode];
        if (inode == inodes.Root || !RecordSum.Holds(inode, in record)) return;
        if (record.IsDirectory && record.Parent == 0 && !KeepsNameless)
        {
            record.Links = 0;
            if (record.Children != 0) Hold(inode);
        }
        if (record.IsRegular && record.Opens != 0 && pools.Find(record.Pool) is { } pool)
        {
            pool.OpenFiles += record.Handles;
            data.ClearBeyondEnd(inode);
        }
        if (record.IsDead && !KeepsNameless && !record.Has(InodeFlags.Held)) reap(inode);
    }

    /// <summary>Leaves the rest of an interrupted removal to be continued while clients are served.</summary>
    private void Hold(RecordRef directory)
    {
        ref var record = ref inodes[directory];
        record.Raise(InodeFlags.Held);
        record.Parent = FirstHeld.Value;
        FirstHeld = directory;
        pools.Ending++;
    }
}
