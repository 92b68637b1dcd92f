using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>The records that a file system begins with: its root record and what that refers to.</summary>
internal static class Volume
{
    private const uint RootMode = InodeMode.Directory | 0x1ED;

    /// <summary>The root record of a region. An empty region gets one: it counts from the store of the reference to it on.</summary>
    /// <exception cref="RegionException">No room, or metadata of another version.</exception>
    public static RecordRef FindOrMake(RecordStore records)
    {
        var found = records.Root;
        if (found.IsNone) return Make(records);
        if (!records.IsRecord(found, RecordKind.Root))
            throw new RegionException("the region's root is no file system's; use a region of tmemd's own, or remove the file to start empty");
        var version = records.Get<RootRecord>(found).Version;
        if (version != RootRecord.CurrentVersion)
            throw new RegionException(
                $"the region's file system is of version {version}, this program knows {RootRecord.CurrentVersion}; use the program that made it");
        if (!IsWhole(records, in records.Get<RootRecord>(found)))
            throw new RegionException("the region is damaged: its file system's root record leads astray; restore it from a copy, or remove it to start empty");
        return found;
    }

    private static bool IsWhole(RecordStore records, in RootRecord root)
    {
        var whole = records.IsRecord(new RecordRef(root.RootInode), RecordKind.Inode) && records.IsRecord(new RecordRef(root.Journal), RecordKind.Journal);
        foreach (var answers in root.Answers) whole &= records.IsRecord(new RecordRef(answers), RecordKind.Answers);
        return whole;
    }

    private static RecordRef Make(RecordStore records)
    {
        // What an attempt cut short has left behind.
        records.ForEach(RecordKind.Root, records.Free);
        records.ForEach(RecordKind.Inode, records.Free);
        records.ForEach(RecordKind.Journal, records.Free);
        records.ForEach(RecordKind.Answers, records.Free);

        var status = InodeTable.Prepare(records, RootMode, 0, 0, 0, InodeFlags.None, 1, out var inode);
        if (status != TmemStatus.Ok) throw NoRoom(status);
        var volume = Allocate<RootRecord>(records, RecordKind.Root);
        ref var root = ref records.Get<RootRecord>(volume);
        root.Version = RootRecord.CurrentVersion;
        root.RootInode = inode.Value;
        root.Counter = 1;
        // Seeded by the system. RandomNumberGenerator would load a library of 4 MiB into locked memory for these eight bytes.
        root.HashSeed = new Random().NextInt64();
        var journal = Allocate<JournalRecord>(records, RecordKind.Journal);
        root.Journal = journal.Value;
        records.Commit(journal);
        for (var bank = 0; bank < Answers.Banks; bank++)
        {
            var answers = Allocate<AnswerBank>(records, RecordKind.Answers);
            root.Answers[bank] = answers.Value;
            records.Commit(answers);
        }
        records.Commit(inode);
        records.Commit(volume);
        records.Root = volume;
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
