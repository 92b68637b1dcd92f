using System.Text;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Restores what damaged records stood for, as far as it is whole itself. Files and directories that have lost their names to
/// damage reappear in a directory lost+found of their pool, which only root may enter (their old directories may have been closed
/// to others), named by the numbers of their inodes; a pool whose directory is lost gets another one. Runs only where damage was
/// found: without damage, an inode without a name is the remains of a removal. With damage, such remains get names as well, which
/// is the lesser evil.
/// </summary>
internal sealed class Salvage(
    TmemClient client, RecordStore records, Journal journal, InodeTable inodes, DirectoryIndex index, PoolTable pools,
    Damage damage, Paths paths)
{
    private const uint PoolMode = InodeMode.Directory | 0x1ED;
    private const uint LostMode = InodeMode.Directory | 0x1C0;

    private bool _failed;

    /// <summary>Gives a pool without a directory the one that was made for it, if it exists, else a new one.</summary>
    public void AdoptPools(PoolSnapshot pool)
    {
        var directory = RecordRef.None;
        records.ForEach(RecordKind.Inode, inode =>
        {
            ref var record = ref inodes[inode];
            if (record.Pool == pool.Id.Value && (record.Flags & InodeFlags.PoolDirectory) != 0 && record.Parent == 0
                && inodes.IsWhole(inode))
                directory = inode;
        });
        var name = Encoding.UTF8.GetBytes($"lost pool {pool.Id.Value}");
        if (directory.IsNone)
        {
            var flags = InodeFlags.PoolDirectory | ((pool.Options.Flags & PoolFlags.Persistent) == 0 ? InodeFlags.Ephemeral : 0);
            // A pool in which nothing was ever made needs none: its creation was interrupted.
            if (!HasInodes(pool.Id))
            {
                client.DestroyPool(pool.Id);
                return;
            }
            directory = Make(inodes.Root, name, PoolMode, pool.Id, flags);
        }
        else if (!Name(inodes.Root, directory, name))
        {
            directory = RecordRef.None;
        }
        if (directory.IsNone) _failed = true;
        else
        {
            pools.Add(new PoolState(pool.Id, pool.Options, directory));
            damage.NoteFoundAgain(() => $"{pool.Id} has lost its name: it is {paths.NameOf(directory)} now");
        }
    }

    /// <summary>False if an inode could not be named, for lack of room or of its pool's directory.</summary>
    public bool NameOrphans()
    {
        // The visitor makes records: when the walk meets one of them, it already has a name.
        records.ForEach(RecordKind.Inode, inode =>
        {
            ref var record = ref inodes[inode];
            if (inode == inodes.Root || record.Links >= (record.IsDirectory ? 2 : 1)
                && (!record.IsDirectory || record.Parent != 0)) return;
            // Being open or looked up does not tell a lost name from a removed one; but a removed directory was empty.
            if (record.IsDirectory && record.Children == 0 && record.Lookups != 0 || !inodes.IsWhole(inode)) return;
            if (pools.Find(record.Pool) is not { } pool) return;
            var isNamed = Name(LostIn(pool), inode, Encoding.UTF8.GetBytes($"{inode.Value}"));
            _failed |= !isNamed;
            damage.NoteFoundAgain(() => isNamed ? $"inode {inode.Value} has lost its name: it is {paths.NameOf(inode)} now"
                : $"inode {inode.Value}, in {paths.PoolText(pool.Id)}, has lost its name and is kept: lost+found "
                + "cannot take it");
        });
        return !_failed;
    }

    private bool HasInodes(PoolId pool)
    {
        var found = false;
        records.ForEach(RecordKind.Inode, inode => found |= inodes[inode].Pool == pool.Value);
        return found;
    }

    private RecordRef LostIn(PoolState pool)
    {
        var found = index.Find(pool.Directory, "lost+found"u8);
        if (found.IsNone)
            return Make(pool.Directory, "lost+found"u8, LostMode, pool.Id, inodes[pool.Directory].Flags & InodeFlags.Ephemeral);
        var directory = new RecordRef(records.Get<EntryRecord>(found).Child);
        // A user's own lost+found is no place for files of others.
        return inodes.IsWhole(directory) && inodes[directory] is { IsDirectory: true, Uid: 0, Mode: LostMode } ? directory
            : RecordRef.None;
    }

    private RecordRef Make(RecordRef parent, ReadOnlySpan<byte> name, uint mode, PoolId pool, InodeFlags flags)
    {
        if (!index.Find(parent, name).IsNone || inodes.Prepare(mode, 0, 0, pool, flags, out var inode) != TmemStatus.Ok)
            return RecordRef.None;
        if (index.Prepare(parent, inode, name, out var entry) != TmemStatus.Ok)
        {
            records.Free(inode);
            return RecordRef.None;
        }
        journal.Begin();
        inodes.Publish(inode, journal);
        Publish(parent, inode, entry);
        return inode;
    }

    private bool Name(RecordRef parent, RecordRef inode, ReadOnlySpan<byte> name)
    {
        if (parent.IsNone || !index.Find(parent, name).IsNone
            || index.Prepare(parent, inode, name, out var entry) != TmemStatus.Ok) return false;
        journal.Begin();
        Publish(parent, inode, entry);
        return true;
    }

    private void Publish(RecordRef parent, RecordRef inode, RecordRef entry)
    {
        journal.Publish(entry);
        index.Insert(entry);
        journal.Commit();
        inodes[inode].Entry = entry.Value;
        inodes.Named(parent, inode);
    }
}
