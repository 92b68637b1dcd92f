using Tmem.Engine;
using Tmem.Engine.Diagnostics;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Takes up what a region holds: undoes the operation on names that was cut short, drops what names nothing, and computes every
/// derived field of the records anew. Runs before anybody else works, and may be cut short itself and run again. A file system
/// just made passes through it as well, so that there is one way to start. Each pass goes over the records in place: nothing here
/// grows with their number, and the time of all of them is linear in it but for the walks down trees.
/// <para>
/// No record is believed before its sum holds. One that fails it is left where it is for <c>check</c> to name (or, with leave to
/// drop what is damaged, freed), and costs what it stood for alone: see <see cref="Salvage"/>.
/// </para>
/// </summary>
internal sealed class Recovery(
    TmemClient client, RecordStore records, Journal journal, InodeTable inodes, DirectoryIndex index,
        ExtendedAttributes attributes,
    PoolTable pools, FileData data, bool drops)
{
    /// <summary>What was found damaged.</summary>
    public Damage Damage { get; } = new();

    /// <summary>Something without a name could not be given one, and is not to be freed.</summary>
    public bool KeepsNameless { get; private set; }

    public void Run()
    {
        var notes = journal.Recover();
        if (notes > 0)
            Damage.Note(
                $"{notes} notes of the journal fail their sum: the operation on names that was under way may have happened "
                + "in part");
        records.ForEachDamaged(DropDamaged);
        ResetInodes();
        LinkEntries();
        if (Damage.Any)
        {
            var salvage = new Salvage(client, records, journal, inodes, index, pools);
            AdoptPools(salvage.AdoptPools);
            KeepsNameless = !salvage.NameOrphans();
        }
        else
        {
            AdoptPools(EndPoolsWithoutDirectory);
        }
        if (!KeepsNameless) RemoveUnreachable();
        ChainAttributes();
        DropTargets();
        FinishInodes();
    }

    private void DropDamaged(RecordRef record)
    {
        Damage.Note($"record {record.Value} is damaged in its header");
        if (drops) records.FreeDamaged(record);
    }

    /// <summary>
    /// A record whose header is whole and whose contents are not. With its pool gone there is nothing it could stand for.
    /// </summary>
    private void FailsSum(RecordRef record, string what)
    {
        if (drops || (records.PoolOf(record) is var pool && pool != default && client.PoolInfo(pool, out _) != TmemStatus.Ok))
            records.Free(record);
        if (records.IsSound(record) || drops) Damage.Note(what);
    }

    private void ResetInodes()
    {
        var count = 0L;
        records.ForEach(RecordKind.Inode, inode =>
        {
            ref var record = ref inodes[inode];
            record.Parent = 0;
            record.Children = 0;
            record.Attributes = 0;
            record.Entry = 0;
            record.AttributeCount = record.AttributeBytes = 0;
            record.Links = 0;
            if (!RecordSum.Holds(inode, in record))
            {
                FailsSum(inode, $"inode {inode.Value} is damaged");
                return;
            }
            if (record.Size > FilePages.MaximumSize)
            {
                Damage.Note($"inode {inode.Value} had a size of {record.Size} bytes; it has {FilePages.MaximumSize} now");
                record.Size = FilePages.MaximumSize;
            }
            count++;
        });
        inodes.Adopt(count);
        inodes[inodes.Root].Links = 2;
    }

    private void LinkEntries() => records.ForEach(RecordKind.Entry, entry =>
    {
        if (!RecordSum.EntryHolds(records, entry))
        {
            FailsSum(entry, $"entry {entry.Value} is damaged");
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
        if ((inodes[child].IsDirectory && inodes[child].Parent != 0) || !index.Insert(entry))
        {
            records.Free(entry);
            return;
        }
        inodes[child].Entry = entry.Value;
        if (inodes[child].IsDirectory)
        {
            inodes[child].Parent = parent.Value;
            inodes[child].Links += 2;
            inodes[parent].Links++;
        }
        else
        {
            inodes[child].Links++;
        }
    });

    /// <summary>
    /// A name whose inode is gone. It stays, so that who looks for it is told of the loss, and stands for no inode that may come
    /// to that place.
    /// </summary>
    private void Lose(RecordRef entry)
    {
        Damage.Note($"entry {entry.Value} stands for an inode that is damaged");
        if (drops || !index.Insert(entry))
        {
            records.Free(entry);
            return;
        }
        if (records.Get<EntryRecord>(entry).Child == 0) return;
        journal.Begin();
        index.Switch(entry, RecordRef.None, journal);
        journal.Commit();
    }

    /// <summary>
    /// A first-level directory stands for its pool; pools without one are the remains of a creation or removal.
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

    /// <summary>
    /// Names below a directory that has none itself: the removal of a whole pool, cut short. A walk down to what is empty and up
    /// again by <see cref="InodeRecord.Parent"/>, for directories may be nested without end.
    /// </summary>
    private void RemoveUnreachable() => records.ForEach(RecordKind.Inode, inode =>
    {
        if (inode == inodes.Root || !inodes.IsWhole(inode) || !inodes[inode].IsDirectory || inodes[inode].Parent != 0) return;
        for (var at = inode; ;)
        {
            var entry = index.Next(at, 0);
            if (entry.IsNone)
            {
                if (at == inode) break;
                at = new RecordRef(inodes[at].Parent);
                continue;
            }
            var child = new RecordRef(records.Get<EntryRecord>(entry).Child);
            if (!child.IsNone && inodes[child].IsDirectory && !index.IsEmpty(child)) at = child;
            else DropName(at, entry);
        }
        inodes[inode].Links = 0;
    });

    private void DropName(RecordRef directory, RecordRef entry)
    {
        var child = new RecordRef(records.Get<EntryRecord>(entry).Child);
        index.Remove(entry);
        records.Free(entry);
        if (child.IsNone) return;
        ref var inode = ref inodes[child];
        if (inode.Entry == entry.Value) inode.Entry = 0;
        if (!inode.IsDirectory)
        {
            inode.Links--;
            return;
        }
        inodes[directory].Links--;
        inode.Parent = 0;
        inode.Links = 0;
    }

    private void ChainAttributes() => records.ForEach(RecordKind.Attribute, attribute =>
    {
        if (!RecordSum.AttributeHolds(records, attribute))
        {
            FailsSum(attribute, $"extended attribute {attribute.Value} is damaged");
            return;
        }
        var owner = new RecordRef(records.Get<AttributeRecord>(attribute).Owner);
        if (!inodes.IsWhole(owner) || !attributes.Find(owner, attributes.Name(attribute)).IsNone
            || !attributes.Insert(owner, attribute))
            records.Free(attribute);
    });

    private void DropTargets() => records.ForEach(RecordKind.Target, target =>
    {
        if (!RecordSum.TargetHolds(records, target))
        {
            FailsSum(target, $"link target {target.Value} is damaged");
            return;
        }
        var owner = new RecordRef(records.Get<TargetRecord>(target).Owner);
        if (!inodes.IsWhole(owner) || inodes[owner].Target != target.Value) records.Free(target);
    });

    /// <summary>
    /// Pages behind the end of a file come from a write that was cut short, so only files that were open can have them (or from a
    /// truncation, which goes on later: see FileData.ClearBeyondEnd). Open handles are counted here, when the pools are known.
    /// </summary>
    private void FinishInodes() => records.ForEach(RecordKind.Inode, inode =>
    {
        ref var record = ref inodes[inode];
        if (!record.IsRegular || record.Opens == 0 || !RecordSum.Holds(inode, in record)) return;
        if (pools.Find(record.Pool) is not { } pool) return;
        pool.OpenFiles += record.Handles;
        data.ClearBeyondEnd(inode);
    });
}
