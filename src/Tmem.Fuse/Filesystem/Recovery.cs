using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Takes up what a region holds: undoes the operation on names that was cut short, drops what names nothing, and computes every derived field
/// of the records anew. Runs before anybody else works, and may be cut short itself and run again. A file system just made passes through it as
/// well, so that there is one way to start.
/// </summary>
internal sealed class Recovery(
    TmemClient client, RecordStore records, Journal journal, InodeTable inodes, DirectoryIndex index, ExtendedAttributes attributes,
    PoolTable pools, FileData data)
{
    public void Run()
    {
        journal.Recover();
        ResetInodes();
        LinkEntries();
        AdoptPools();
        RemoveUnreachable();
        ChainAttributes();
        DropTargets();
        FinishInodes();
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
            record.Links = 0;
            count++;
        });
        inodes.Adopt(count);
        inodes[inodes.Root].Links = 2;
    }

    private void LinkEntries()
    {
        records.ForEach(RecordKind.Entry, entry =>
        {
            ref var record = ref records.Get<EntryRecord>(entry);
            var parent = new RecordRef(record.Parent);
            var child = new RecordRef(record.Child);
            var sound = records.IsRecord(parent, RecordKind.Inode) && records.IsRecord(child, RecordKind.Inode)
                && child != inodes.Root && inodes[parent].IsDirectory
                && !(inodes[child].IsDirectory && inodes[child].Parent != 0);
            if (!sound || !index.Insert(entry))
            {
                records.Free(entry);
                return;
            }
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
    }

    /// <summary>A first-level directory stands for its pool; pools without one are the remains of a creation or removal.</summary>
    private void AdoptPools()
    {
        for (var entry = index.Next(inodes.Root, 0); !entry.IsNone;)
        {
            ref var record = ref records.Get<EntryRecord>(entry);
            var next = record.Key + 1;
            var directory = new RecordRef(record.Child);
            ref var inode = ref inodes[directory];
            var status = client.PoolInfo(new PoolId(inode.Pool), out var info);
            if (status == TmemStatus.Ok && inode.IsDirectory)
            {
                pools.Add(new PoolState(info!.Id, info.Options, directory));
            }
            else
            {
                DropName(inodes.Root, entry);
            }
            entry = index.Next(inodes.Root, next);
        }
        foreach (var id in client.Pools())
            if (pools.Find(id.Value) is null) client.DestroyPool(id);
    }

    /// <summary>Names below a directory that has none itself: the removal of a whole pool, cut short.</summary>
    private void RemoveUnreachable()
    {
        var nameless = new Stack<RecordRef>();
        records.ForEach(RecordKind.Inode, inode =>
        {
            ref var record = ref inodes[inode];
            if (record.IsDirectory && record.Parent == 0 && inode != inodes.Root) nameless.Push(inode);
        });
        while (nameless.TryPop(out var directory))
        {
            for (var entry = index.Next(directory, 0); !entry.IsNone; entry = index.Next(directory, 0))
            {
                var child = new RecordRef(records.Get<EntryRecord>(entry).Child);
                DropName(directory, entry);
                if (inodes[child].IsDirectory) nameless.Push(child);
            }
            inodes[directory].Links = 0;
        }
    }

    private void DropName(RecordRef directory, RecordRef entry)
    {
        var child = new RecordRef(records.Get<EntryRecord>(entry).Child);
        index.Remove(entry);
        records.Free(entry);
        ref var inode = ref inodes[child];
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
        var owner = new RecordRef(records.Get<AttributeRecord>(attribute).Owner);
        if (records.IsRecord(owner, RecordKind.Inode) && attributes.Find(owner, attributes.Name(attribute)).IsNone)
            attributes.Push(owner, attribute);
        else
            records.Free(attribute);
    });

    private void DropTargets() => records.ForEach(RecordKind.Target, target =>
    {
        var owner = new RecordRef(records.Get<TargetRecord>(target).Owner);
        if (!records.IsRecord(owner, RecordKind.Inode) || inodes[owner].Target != target.Value) records.Free(target);
    });

    /// <summary>
    /// Pages behind the end of a file come from a write that was cut short, so only files that were open can have them. Open
    /// handles are counted here, when the pools are known.
    /// </summary>
    private void FinishInodes() => records.ForEach(RecordKind.Inode, inode =>
    {
        ref var record = ref inodes[inode];
        if (!record.IsRegular || record.Opens == 0) return;
        if (pools.Find(record.Pool) is not { } pool) return;
        pool.OpenFiles += (long)record.Opens;
        data.ClearBeyondEnd(inode);
    });
}
