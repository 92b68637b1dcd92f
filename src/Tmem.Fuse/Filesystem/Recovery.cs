using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Takes up what a region holds: completes an announced rename, drops what names nothing, and computes every derived field of the records
/// anew. Runs before anybody else works. A file system just made passes through it as well, so that there is one way to start.
/// </summary>
internal sealed class Recovery(
    TmemClient client, RecordStore records, InodeTable inodes, DirectoryIndex index, ExtendedAttributes attributes, PoolTable pools,
    FileData data)
{
    /// <summary>The root record of a region. An empty region gets one: it counts from the store of the reference to it on.</summary>
    /// <exception cref="RegionException">No room, or metadata of another version.</exception>
    public static RecordRef FindOrMakeVolume(RecordStore records)
    {
        var found = records.Root;
        if (!found.IsNone)
        {
            if (!records.IsRecord(found, RecordKind.Root))
                throw new RegionException("the region's root is no file system's; use a region of tmemd's own, or remove the file to start empty");
            var version = records.Get<RootRecord>(found).Version;
            if (version == RootRecord.CurrentVersion) return found;
            throw new RegionException(
                $"the region's file system is of version {version}, this program knows {RootRecord.CurrentVersion}; use the program that made it");
        }
        // What an attempt cut short has left behind.
        records.ForEach(RecordKind.Root, records.Free);
        records.ForEach(RecordKind.Inode, records.Free);

        var status = InodeTable.Prepare(records, InodeMode.Directory | 0x1ED, 0, 0, 0, InodeFlags.None, 1, out var inode);
        if (status != TmemStatus.Ok) throw NoRoom(status);
        status = records.Allocate(RecordKind.Root, System.Runtime.CompilerServices.Unsafe.SizeOf<RootRecord>(), out var volume);
        if (status != TmemStatus.Ok) throw NoRoom(status);
        ref var root = ref records.Get<RootRecord>(volume);
        root.Version = RootRecord.CurrentVersion;
        root.RootInode = inode.Value;
        root.Counter = 1;
        // Seeded by the system. RandomNumberGenerator would load a library of 4 MiB into locked memory for these eight bytes.
        root.HashSeed = new Random().NextInt64();
        records.Commit(inode);
        records.Commit(volume);
        records.Root = volume;
        return volume;
    }

    private static RegionException NoRoom(TmemStatus status) =>
        new($"the store has no room for the root directory ({status}); give it more capacity");

    public void Run()
    {
        CompleteRename();
        ResetInodes();
        LinkEntries();
        AdoptPools();
        RemoveUnreachable();
        ChainAttributes();
        DropTargets();
        FinishInodes();
    }

    /// <summary>
    /// A rename that was announced has happened if its target has the moved child; then what is left to do is done. Else nothing of it
    /// has, and nothing is. An exchange is carried out again: its two stores may both be repeated.
    /// </summary>
    private void CompleteRename()
    {
        ref var volume = ref inodes.Volume;
        var source = new RecordRef(volume.IntentSource);
        var target = new RecordRef(volume.IntentTarget);
        if (volume.Intent != Intent.None && records.IsRecord(source, RecordKind.Entry) && records.IsRecord(target, RecordKind.Entry))
        {
            ref var to = ref records.Get<EntryRecord>(target);
            if (volume.Intent == Intent.Exchange)
            {
                records.Get<EntryRecord>(source).Child = volume.IntentTargetChild;
                to.Child = volume.IntentSourceChild;
            }
            else if (to.Child == volume.IntentSourceChild)
            {
                records.Free(source);
            }
        }
        volume.Intent = Intent.None;
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
                var pool = new PoolState(info!.Id, info.Options, directory);
                pools.Add(pool);
                if (pool.IsEphemeral) inode.Flags |= InodeFlags.Ephemeral;
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

    private void ChainAttributes()
    {
        var superseded = new List<(RecordRef Inode, RecordRef Attribute)>();
        records.ForEach(RecordKind.Attribute, attribute =>
        {
            var owner = new RecordRef(records.Get<AttributeRecord>(attribute).Owner);
            if (!records.IsRecord(owner, RecordKind.Inode))
            {
                records.Free(attribute);
                return;
            }
            var other = attributes.Find(owner, attributes.Name(attribute));
            attributes.Push(owner, attribute);
            if (other.IsNone) return;
            var newer = records.Get<AttributeRecord>(attribute).Age > records.Get<AttributeRecord>(other).Age;
            superseded.Add((owner, newer ? other : attribute));
        });
        foreach (var (inode, attribute) in superseded) attributes.Unlink(inode, attribute);
    }

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
