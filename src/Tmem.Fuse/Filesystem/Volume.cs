using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Engine.Region;

namespace Tmem.Fuse.Filesystem;

/// <summary>The records that a file system begins with: its root record and the records that this refers to.</summary>
internal static class Volume
{
    private const uint RootMode = InodeMode.Directory | 0x1ED;

    /// <summary>The root record of a region. An empty region gets one, valid from the store of the reference to it on.</summary>
    /// <exception cref="RegionException">No room, or metadata of another version.</exception>
    public static RecordRef FindOrMake(RecordStore records, Damage damage, string region)
    {
        var first = records.Root;
        var found = first;
        if (!IsWhole(records, found))
        {
            var spare = OtherThan(records, found);
            if (spare.IsNone) return found.IsNone ? Make(records) : throw Refusal(records, found, region);
            // Without a reference it is a new file system that somebody did not come to the end of making.
            if (!found.IsNone)
                damage.NoteMended($"the file system's root record {found.Value} is damaged: its copy has taken its place");
            RestoreCounters(records, spare);
            records.Root = found = spare;
        }
        RemakeRootInode(records, new RecordRef(records.Get<RootRecord>(found).RootInode), damage, region);
        found = ReplaceDamaged(records, found);
        KeepSpare(records, found, copy =>
        {
            if (copy != first) damage.NoteMended($"the copy of the root record, {copy.Value}, is damaged: it is made anew");
        });
        return found;
    }

    private static bool IsWhole(RecordStore records, RecordRef found) =>
        records.IsRecord(found, RecordKind.Root) && records.Get<RootRecord>(found) is var root
        && root.Version == RootRecord.CurrentVersion && root.Sum == RecordSum.Of(in root);

    private static RegionException Refusal(RecordStore records, RecordRef found, string region)
    {
        if (!records.IsRecord(found, RecordKind.Root))
            return new RegionException(
                $"{region} is damaged: there is no record where the file system begins, and its tables may be lost too; restore "
                + "it from a copy");
        var version = records.Get<RootRecord>(found).Version;
        return new RegionException(version != RootRecord.CurrentVersion
            ? $"{region}: its file system is of version {version}, this program knows {RootRecord.CurrentVersion}; use the "
                + "program that made it"
            : $"{region} is damaged: its file system's root record fails its sum; restore it from a copy");
    }

    /// <summary>Another root record that is whole.</summary>
    private static RecordRef OtherThan(RecordStore records, RecordRef found)
    {
        var other = RecordRef.None;
        records.ForEach(RecordKind.Root, record =>
        {
            if (record != found && IsWhole(records, record)) other = record;
        });
        return other;
    }

    /// <summary>
    /// The root record leads to everything, so there are two, with the same references. The second does not count on: its
    /// counters are found from the records that hold numbers drawn from them. Without room for it there is only one, until the
    /// next start.
    /// </summary>
    /// <param name="isDamaged">Called with a copy that fails its sum.</param>
    private static void KeepSpare(RecordStore records, RecordRef found, Action<RecordRef>? isDamaged = null)
    {
        var sum = records.Get<RootRecord>(found).Sum;
        var has = false;
        records.ForEach(RecordKind.Root, record =>
        {
            if (record == found) return;
            var isWhole = IsWhole(records, record);
            if (!isWhole) isDamaged?.Invoke(record);
            if (!has && isWhole && records.Get<RootRecord>(record).Sum == sum) has = true;
            else records.Free(record);
        });
        if (has || records.Allocate(RecordKind.Root, Unsafe.SizeOf<RootRecord>(), out var spare) != TmemStatus.Ok) return;
        records.Get<RootRecord>(spare) = records.Get<RootRecord>(found);
        records.Commit(spare);
    }

    private static void RestoreCounters(RecordStore records, RecordRef spare)
    {
        ref var root = ref records.Get<RootRecord>(spare);
        var (counter, processes) = (root.Counter, root.Processes);
        records.ForEach(RecordKind.Inode, inode => counter = Math.Max(counter, records.Get<InodeRecord>(inode).Generation));
        records.ForEach(RecordKind.Answers, bank =>
        {
            foreach (ref var slot in records.Get<AnswerBank>(bank)) processes = Math.Max(processes, slot.Process);
        });
        (root.Counter, root.Processes) = (counter, processes);
    }

    /// <summary>Seals the root record's references with their sum.</summary>
    public static void Seal(ref RootRecord root) => root.Sum = RecordSum.Of(in root);

    /// <summary>The root directory is at its place whatever that looks like: nothing else could be done without it.</summary>
    private static void RemakeRootInode(RecordStore records, RecordRef inode, Damage damage, string region)
    {
        if (records.IsRecord(inode, RecordKind.Inode) && RecordSum.Holds(inode, in records.Get<InodeRecord>(inode))) return;
        if (!records.TryRemake(inode, RecordKind.Inode, Unsafe.SizeOf<InodeRecord>()))
            throw new RegionException(
                $"{region} is damaged: its root directory has no place; restore it from a copy");
        damage.NoteMended("the inode of the root directory is damaged: it is made anew, root's and with mode 0755");
        ref var record = ref records.Get<InodeRecord>(inode);
        record = new InodeRecord { Generation = 1, Mode = RootMode };
        record.AccessTime = record.ModifyTime = record.ChangeTime = FileClock.Now();
        record.Sum = RecordSum.Of(inode, in record);
    }

    /// <summary>
    /// Replaces a log or answers that are no longer records by empty ones, through another root record, which one store makes the
    /// valid one. An operation that was under way may then have happened in part, or happen twice.
    /// </summary>
    private static RecordRef ReplaceDamaged(RecordStore records, RecordRef volume)
    {
        var root = records.Get<RootRecord>(volume);
        var replaced = false;
        if (!records.IsRecord(new RecordRef(root.Journal), RecordKind.Journal))
        {
            root.Journal = Allocate<JournalRecord>(records, RecordKind.Journal).Value;
            records.Commit(new RecordRef(root.Journal));
            replaced = true;
        }
        foreach (ref var bank in root.Answers)
        {
            if (records.IsRecord(new RecordRef(bank), RecordKind.Answers)) continue;
            bank = Allocate<AnswerBank>(records, RecordKind.Answers).Value;
            records.Commit(new RecordRef(bank));
            replaced = true;
        }
        if (!replaced) return volume;
        Seal(ref root);
        var successor = Allocate<RootRecord>(records, RecordKind.Root);
        records.Get<RootRecord>(successor) = root;
        records.Commit(successor);
        records.Root = successor;
        records.Free(volume);
        return successor;
    }

    private static RecordRef Make(RecordStore records)
    {
        // Leftovers of an interrupted attempt.
        records.ForEach(RecordKind.Root, records.Free);
        records.ForEach(RecordKind.Inode, records.Free);
        records.ForEach(RecordKind.Journal, records.Free);
        records.ForEach(RecordKind.Answers, records.Free);

        var status = InodeTable.Prepare(records, RootMode, 0, 0, default, InodeFlags.None, 1, out var inode);
        if (status != TmemStatus.Ok) throw NoRoom(status);
        records.Get<InodeRecord>(inode).Sum = RecordSum.Of(inode, in records.Get<InodeRecord>(inode));
        var volume = Allocate<RootRecord>(records, RecordKind.Root);
        ref var root = ref records.Get<RootRecord>(volume);
        root.Version = RootRecord.CurrentVersion;
        root.RootInode = inode.Value;
        root.Counter = 1;
        SystemRandom.Fill(MemoryMarshal.AsBytes(new Span<SipKey>(ref root.HashKey)));
        var journal = Allocate<JournalRecord>(records, RecordKind.Journal);
        root.Journal = journal.Value;
        records.Commit(journal);
        for (var bank = 0; bank < Answers.Banks; bank++)
        {
            var answers = Allocate<AnswerBank>(records, RecordKind.Answers);
            root.Answers[bank] = answers.Value;
            records.Commit(answers);
        }
        Seal(ref root);
        records.Commit(inode);
        records.Commit(volume);
        records.Root = volume;
        KeepSpare(records, volume);
        return volume;
    }

    private static RecordRef Allocate<T>(RecordStore records, byte kind) where T : unmanaged
    {
        var status = records.Allocate(kind, Unsafe.SizeOf<T>(), out var record);
        return status == TmemStatus.Ok ? record : throw NoRoom(status);
    }

    private static RegionException NoRoom(TmemStatus status) =>
        new($"the store has no room for an empty file system ({status}); give it more capacity");
}
