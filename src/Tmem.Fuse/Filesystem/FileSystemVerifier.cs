using System.Text;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Cross-checks names, inodes, attributes, link targets, pools and the engine's objects, beside the work of others: the namespace
/// lock is held for a piece at a time (<see cref="BoundedHold"/>). What is looked at under one hold is right by itself at any
/// moment (a record and what it refers to, and that its tree leads to it); what must be added up over many is kept true by those
/// who change it (<see cref="RunningCheck"/>). One sentence a problem, at most so many as are asked for. Nothing
/// here grows with the number of files.
/// </summary>
internal sealed class FileSystemVerifier(
    TmemClient client, RecordStore records, Journal journal, InodeTable inodes, DirectoryIndex index,
    ExtendedAttributes attributes, PoolTable pools, FileData data, RunningCheck check, BoundedHold hold, Paths paths,
    DeadInodes dead, int mostNamed)
{
    private readonly Damage _problems = new(mostNamed);
    private readonly RecordWords _words = new(records, paths);
    private readonly PoolObjects _objects = new(client);
    private readonly RecordRef[] _files = new RecordRef[BoundedHold.Most];
    private int _fileCount;

    public IReadOnlyList<string> Run()
    {
        using (hold.Enter()) check.Clear();
        Walk(Reset, default);
        Walk(CheckRecord, below => check.EntriesBelow = below);
        _objects.Begin();
        Walk(CheckInode, below =>
        {
            check.InodesBelow = below;
            if (below == ulong.MaxValue && check.Inodes != inodes.Count)
                Report($"{check.Inodes} inodes are committed, {inodes.Count} are counted");
        });
        Walk(CheckDirectory, default);
        CheckPools();
        _objects.Compare(Report);
        using (hold.Enter()) check.Clear();
        _problems.Settle();
        return _problems.Sentences;
    }

    /// <summary>Visits all records, hold after hold. A visit returns the steps that it took beside its own.</summary>
    private void Walk(Func<RecordRef, ulong, int> visit, Action<ulong>? reached)
    {
        var from = 0UL;
        Func<RecordRef, ulong, int> guarded = (record, header) =>
        {
            var steps = Guarded(visit, record, header);
            hold.Take(1 + steps);
            return steps;
        };
        for (var more = true; more;)
        {
            using (hold.Enter())
            {
                more = records.Continue(ref from, BoundedHold.Most, guarded);
                reached?.Invoke(more ? from : ulong.MaxValue);
            }
            CheckData();
            FinishDirectory();
            if (more) BoundedHold.Pause();
        }
    }

    private int Guarded(Func<RecordRef, ulong, int> visit, RecordRef record, ulong header)
    {
        try
        {
            return visit(record, header);
        }
        catch (DamagedRecordException damaged)
        {
            Report($"{damaged.Message} (found at record {record.Value})");
            return 1;
        }
    }

    private int Reset(RecordRef record, ulong header)
    {
        if (records.IsRecord(record, RecordKind.Inode)) inodes[record].Mark = record == inodes.Root ? 2u : 0;
        return 0;
    }

    private int CheckRecord(RecordRef record, ulong header)
    {
        if (header > 1 && !records.IsSound(record)) Report(_words.OfDamagedHeader(record)());
        if (records.IsRecord(record, RecordKind.Entry)) return CheckEntry(record);
        if (records.IsRecord(record, RecordKind.Attribute)) return CheckAttribute(record);
        if (records.IsRecord(record, RecordKind.Target)) CheckTarget(record);
        if (records.IsRecord(record, RecordKind.Journal) && journal.IsOpen)
            Report("an operation on names was begun and not ended");
        return 0;
    }

    private int CheckEntry(RecordRef entry)
    {
        ref var record = ref records.Get<EntryRecord>(entry);
        var directory = new RecordRef(record.Parent);
        var child = new RecordRef(record.Child);
        if (!RecordSum.EntryHolds(records, entry))
        {
            Report(_words.OfDamagedContents(entry, RecordKind.Entry)());
            return 1;
        }
        if (!inodes.IsWhole(directory) || !inodes[directory].IsDirectory)
        {
            Report($"entry {entry.Value} names {record.Parent} as its parent, which is no directory");
            return 1;
        }
        if (index.Find(directory, index.Name(entry)) != entry)
            Report($"entry {entry.Value} is not found by its name in directory {NameOf(directory)}");
        check.Mark(entry, child, 1);
        if (!inodes.IsWhole(child) || child == inodes.Root)
        {
            Report($"{NameOf(directory)}/{Encoding.UTF8.GetString(index.Name(entry))} is lost: its inode is damaged");
            return 3;
        }
        ref var inode = ref inodes[child];
        if (directory != inodes.Root && inode.Pool != inodes[directory].Pool)
            Report($"inode {child.Value} belongs to another pool than its directory {directory.Value}");
        if (inode.IsDirectory && inode.Parent != directory.Value)
            Report($"directory {child.Value} names {inode.Parent} as its parent, not {directory.Value}");
        if (inode.IsDirectory && inode.Entry != entry.Value) Report($"directory {child.Value} has more than one name");
        return 3;
    }

    private int CheckAttribute(RecordRef attribute)
    {
        var owner = new RecordRef(records.Get<AttributeRecord>(attribute).Owner);
        if (!RecordSum.AttributeHolds(records, attribute))
            Report(_words.OfDamagedContents(attribute, RecordKind.Attribute)());
        else if (!inodes.IsWhole(owner) || attributes.Find(owner, attributes.Name(attribute)) != attribute)
            Report($"extended attribute {attribute.Value} does not belong to an inode that has it");
        return 2;
    }

    private void CheckTarget(RecordRef target)
    {
        var owner = new RecordRef(records.Get<TargetRecord>(target).Owner);
        if (!RecordSum.TargetHolds(records, target))
            Report(_words.OfDamagedContents(target, RecordKind.Target)());
        else if (!inodes.IsWhole(owner) || inodes[owner].Target != target.Value)
            Report($"link target {target.Value} does not belong to an inode");
    }

    private int CheckInode(RecordRef inode, ulong header)
    {
        if (!records.IsRecord(inode, RecordKind.Inode)) return 0;
        ref var record = ref inodes[inode];
        if (!RecordSum.Holds(inode, in record))
        {
            Report($"{NameOf(inode)} is damaged");
            return 0;
        }
        check.Inodes++;
        // A directory that is being removed with its contents has lost only its name so far.
        if (record.Links != record.Mark && !(record.IsDirectory && record.Links == 0))
            Report($"inode {inode.Value} counts {record.Links} links, {record.Mark} are there");
        if (inode != inodes.Root && record.IsDead && !dead.Any && !record.Has(InodeFlags.Held))
            Report($"inode {inode.Value} has neither name nor user and is not being freed");
        CheckRemoval(inode, in record);
        if (record.IsSymbolicLink)
        {
            var target = new RecordRef(record.Target);
            if (!records.IsRecord(target, RecordKind.Target) || records.Get<TargetRecord>(target).Owner != inode.Value)
                Report($"symbolic link {NameOf(inode)} has no target of its own");
        }
        else if (record.Target != 0)
        {
            Report($"inode {inode.Value} is no symbolic link and has a target");
        }
        // The pages of a dead file are being flushed by another thread, or wait for it.
        if (record.IsRegular && !record.IsDead) CheckFile(inode);
        else if (record.IsRegular && data.Pages(inode).Count() > 0) _objects.Count(new PoolId(record.Pool));
        return CheckAttributes(inode);
    }

    /// <summary>
    /// Checks a directory that has lost its name: what is below it is being removed, and it is held until then.
    /// </summary>
    private void CheckRemoval(RecordRef inode, in InodeRecord record)
    {
        var isHeld = record.Has(InodeFlags.Held);
        if (isHeld && (!record.IsDirectory || record.Links != 0 || pools.Ending == 0))
            Report($"inode {inode.Value} is held for a removal, and there is none");
        else if (!isHeld && record.IsDirectory && record.Links == 0 && record.Children != 0)
            Report($"directory {inode.Value} has lost its name, and what is below it is not being removed");
    }

    private int CheckAttributes(RecordRef inode)
    {
        uint count = 0, bytes = 0;
        for (var at = attributes.Next(inode, 0); !at.IsNone; at =
            attributes.Next(inode, records.Get<AttributeRecord>(at).Key + 1))
        {
            if (!records.IsRecord(at, RecordKind.Attribute) || records.Get<AttributeRecord>(at).Owner != inode.Value)
            {
                Report($"inode {inode.Value} has {at.Value} among its extended attributes, which is not one of its own");
                return (int)count;
            }
            bytes += (uint)attributes.Size(at);
            if (++count > ExtendedAttributes.MaximumCount) break;
        }
        ref var record = ref inodes[inode];
        if (count != record.AttributeCount || bytes != record.AttributeBytes)
            Report(
                $"inode {inode.Value} counts {record.AttributeCount} extended attributes of {record.AttributeBytes} bytes, "
                + $"{count} of {bytes} are there");
        return (int)count;
    }

    private void CheckFile(RecordRef file)
    {
        ref var record = ref inodes[file];
        if (pools.Find(record.Pool) is not { } pool)
        {
            if (record.Links > 0 && pools.Ending == 0) Report($"file {file.Value} belongs to a pool that is not there");
            return;
        }
        if (pool.IsEphemeral != record.IsEphemeral) Report($"file {file.Value} and its pool differ on whether pages may vanish");
        if (data.Pages(file).Count() == 0) return;
        _objects.Count(pool.Id);
        if (_fileCount < _files.Length) _files[_fileCount++] = file;
    }

    /// <summary>
    /// Checks that wait for a file's own lock: without the namespace lock, so the file may be gone by now and its place reused by
    /// another, which serves as well.
    /// </summary>
    private void CheckData()
    {
        while (_fileCount > 0)
        {
            var file = _files[--_fileCount];
            try
            {
                if (inodes.IsWhole(file) && inodes[file].IsRegular && data.HasPagesBeyondEnd(file) && inodes.IsWhole(file)
                    && !inodes[file].IsDead)
                    Report($"file {file.Value} has pages stored behind its end");
            }
            catch (DamagedRecordException)
            {
                // Freed meanwhile.
            }
        }
    }

    private RecordRef _directory;
    private ulong _generation;

    /// <summary>Every entry was found in its tree; this checks that the tree holds nothing else.</summary>
    private int CheckDirectory(RecordRef inode, ulong header)
    {
        if (!inodes.IsWhole(inode) || !inodes[inode].IsDirectory) return 0;
        _generation = inodes[inode].Generation;
        if (CheckTree(inode, 0, out var steps) == 0) return steps;
        // Too large for this hold: the walk over the records stops here, and finishes the tree before it continues.
        _directory = inode;
        return BoundedHold.Most;
    }

    private void FinishDirectory()
    {
        if (_directory.IsNone) return;
        for (var from = 1UL; from != 0;)
        {
            BoundedHold.Pause();
            using (hold.Enter())
            {
                if (!inodes.IsWhole(_directory) || inodes[_directory].Generation != _generation) break;
                try
                {
                    from = CheckTree(_directory, from, out var steps);
                    hold.Take(steps);
                }
                catch (DamagedRecordException damaged)
                {
                    Report($"{damaged.Message} (found in directory {_directory.Value})");
                    break;
                }
            }
        }
        _directory = RecordRef.None;
    }

    /// <summary>Returns where to continue, 0 at the end.</summary>
    private ulong CheckTree(RecordRef directory, ulong from, out int steps)
    {
        for (steps = 0; steps < BoundedHold.Most / 2; steps++)
        {
            var entry = index.Next(directory, from);
            if (entry.IsNone) return 0;
            ref var record = ref records.Get<EntryRecord>(entry);
            if (record.Key < from || !records.IsRecord(entry, RecordKind.Entry) || record.Parent != directory.Value)
            {
                Report($"the tree of directory {NameOf(directory)} is out of order at entry {entry.Value}");
                return 0;
            }
            from = record.Key + 1;
        }
        return from;
    }

    private void CheckPools()
    {
        using (hold.Enter())
        {
            foreach (var pool in pools.All())
            {
                hold.Take();
                if (client.PoolInfo(pool.Id, out _) != TmemStatus.Ok) Report($"{pool.Id} has a directory and is not there");
                if (!inodes.IsWhole(pool.Directory)) Report($"the directory of {pool.Id} is damaged");
                else if (inodes[pool.Directory].Parent != inodes.Root.Value)
                    Report($"the directory of {pool.Id} is not at the first level");
            }
        }
        using (hold.Enter())
        {
            foreach (var id in client.Pools())
                if (pools.Find(id.Value) is null && pools.Ending == 0) Report($"{id} has no directory");
        }
    }

    private string NameOf(RecordRef inode) => paths.NameOf(inode);

    private void Report(string problem) => _problems.Note(problem);
}
