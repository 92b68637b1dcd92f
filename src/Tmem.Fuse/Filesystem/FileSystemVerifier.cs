using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Cross-checks names, inodes, attributes, link targets, pools and the engine's objects. Runs under the namespace lock, so nobody makes
/// or frees records meanwhile; reads and writes of files go on. One sentence a problem, at most <see cref="MaximumProblems"/>.
/// </summary>
internal sealed class FileSystemVerifier(
    TmemClient client, RecordStore records, Journal journal, InodeTable inodes, DirectoryIndex index, ExtendedAttributes attributes,
    PoolTable pools, FileData data, long dying)
{
    private const int MaximumProblems = 100;

    private readonly List<string> _problems = [];

    public IReadOnlyList<string> Run()
    {
        records.ForEach(RecordKind.Inode, inode => inodes[inode].Mark = 0);
        inodes[inodes.Root].Mark = 2;
        if (journal.IsOpen) Report("an operation on names was begun and not ended");
        CheckTree();
        CheckInodes();
        CheckPools();
        return _problems;
    }

    /// <summary>Walks the directories from the root, counting in each inode's mark the links it should have.</summary>
    private void CheckTree()
    {
        var reached = 0L;
        var directories = new Stack<RecordRef>([inodes.Root]);
        while (directories.TryPop(out var directory))
        {
            var from = 0UL;
            for (var entry = index.Next(directory, from); !entry.IsNone; entry = index.Next(directory, from))
            {
                ref var record = ref records.Get<EntryRecord>(entry);
                reached++;
                if (record.Key < from || !records.IsRecord(entry, RecordKind.Entry))
                {
                    Report($"the tree of directory {directory.Value} is out of order at entry {entry.Value}");
                    break;
                }
                from = record.Key + 1;
                CheckEntry(directory, entry, directories);
            }
        }
        var committed = 0L;
        records.ForEach(RecordKind.Entry, _ => committed++);
        if (committed != reached) Report($"{committed} entries are committed, {reached} are reached from the root");
    }

    private void CheckEntry(RecordRef directory, RecordRef entry, Stack<RecordRef> directories)
    {
        ref var record = ref records.Get<EntryRecord>(entry);
        var child = new RecordRef(record.Child);
        if (record.Parent != directory.Value)
            Report($"entry {entry.Value} stands in directory {directory.Value} but names {record.Parent} as its parent");
        if (index.Find(directory, index.Name(entry)) != entry) Report($"entry {entry.Value} is not found by its name");
        if (!records.IsRecord(child, RecordKind.Inode) || child == inodes.Root)
        {
            Report($"entry {entry.Value} stands for {child.Value}, which is no inode");
            return;
        }
        ref var inode = ref inodes[child];
        if (directory != inodes.Root && inode.Pool != inodes[directory].Pool)
            Report($"inode {child.Value} belongs to another pool than its directory {directory.Value}");
        if (!inode.IsDirectory)
        {
            inode.Mark++;
            return;
        }
        inodes[directory].Mark++;
        if (inode.Parent != directory.Value) Report($"directory {child.Value} names {inode.Parent} as its parent, not {directory.Value}");
        if (inode.Mark != 0)
        {
            Report($"directory {child.Value} has more than one name");
            return;
        }
        inode.Mark = 2;
        directories.Push(child);
    }

    private void CheckInodes()
    {
        long count = 0, dead = 0, chained = 0, targets = 0;
        records.ForEach(RecordKind.Inode, inode =>
        {
            count++;
            ref var record = ref inodes[inode];
            if (record.Links != record.Mark) Report($"inode {inode.Value} counts {record.Links} links, {record.Mark} are there");
            if (inode != inodes.Root && record.IsDead) dead++;
            chained += CheckChain(inode);
            if (record.IsSymbolicLink)
            {
                targets++;
                CheckTarget(inode);
            }
            else if (record.Target != 0)
            {
                Report($"inode {inode.Value} is no symbolic link and has a target");
            }
            // Of a dead one the pages are being flushed, elsewhere and right now.
            if (record.IsRegular && !record.IsDead) CheckData(inode);
        });
        if (count != inodes.Count) Report($"{count} inodes are committed, {inodes.Count} are counted");
        if (dead != dying) Report($"{dead} inodes have neither name nor user, {dying} are being freed");
        CheckCount(RecordKind.Attribute, chained, "extended attributes");
        CheckCount(RecordKind.Target, targets, "link targets");
    }

    private void CheckCount(byte kind, long owned, string what)
    {
        var committed = 0L;
        records.ForEach(kind, _ => committed++);
        if (committed != owned) Report($"{committed} {what} are committed, {owned} belong to an inode");
    }

    private long CheckChain(RecordRef inode)
    {
        var length = 0L;
        for (var at = attributes.First(inode); !at.IsNone; at = attributes.Next(at))
        {
            if (!records.IsRecord(at, RecordKind.Attribute) || records.Get<AttributeRecord>(at).Owner != inode.Value)
            {
                Report($"inode {inode.Value} has {at.Value} in its chain of extended attributes, which is not one of its own");
                break;
            }
            if (attributes.Find(inode, attributes.Name(at)) != at) Report($"inode {inode.Value} has two extended attributes of one name");
            // Longer than names of one byte could be: a ring.
            if (++length > ExtendedAttributes.MaximumTotal)
            {
                Report($"inode {inode.Value} has a chain of extended attributes without end");
                break;
            }
        }
        return length;
    }

    private void CheckTarget(RecordRef inode)
    {
        var target = new RecordRef(inodes[inode].Target);
        if (!records.IsRecord(target, RecordKind.Target) || records.Get<TargetRecord>(target).Owner != inode.Value)
            Report($"symbolic link {inode.Value} has no target of its own");
    }

    private void CheckData(RecordRef file)
    {
        if (pools.Find(inodes[file].Pool) is not { } pool)
        {
            if (inodes[file].Links > 0) Report($"file {file.Value} belongs to a pool that is not there");
            return;
        }
        if (pool.IsEphemeral != inodes[file].IsEphemeral) Report($"file {file.Value} and its pool differ on whether pages may vanish");
        if (data.HasPagesBeyondEnd(file)) Report($"file {file.Value} has pages stored behind its end");
    }

    private void CheckPools()
    {
        foreach (var pool in pools.All())
        {
            if (client.PoolInfo(pool.Id, out _) != TmemStatus.Ok) Report($"{pool.Id} has a directory and is not there");
            if (inodes[pool.Directory].Parent != inodes.Root.Value) Report($"the directory of {pool.Id} is not at the first level");
        }
        foreach (var id in client.Pools())
        {
            if (pools.Find(id.Value) is null) Report($"{id} has no directory");
            else if (!CheckObjects(id)) Report($"{id} holds objects that are no files");
        }
    }

    /// <summary>
    /// Whether a pool holds as many objects as there are files with pages. Files change while this counts, so only a figure that stands
    /// still around the count is compared; a pool that is always busy is passed over.
    /// </summary>
    private bool CheckObjects(PoolId pool)
    {
        for (var attempt = 0; attempt < 3; attempt++)
        {
            if (client.PoolInfo(pool, out var before) != TmemStatus.Ok) return true;
            var files = 0L;
            records.ForEach(RecordKind.Inode, inode =>
            {
                if (inodes[inode].Pool == pool.Value && inodes[inode].IsRegular && data.Pages(inode).Count() > 0) files++;
            });
            if (client.PoolInfo(pool, out var after) != TmemStatus.Ok) return true;
            if (after!.Statistics.Objects == files) return true;
            if (before!.Statistics == after.Statistics) return false;
        }
        return true;
    }

    private void Report(string problem)
    {
        if (_problems.Count < MaximumProblems) _problems.Add(problem);
    }
}
