using System.Text;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Transfer;

/// <summary>What a pool is, in a stream.</summary>
internal readonly record struct SavedPool(
    string Name, bool IsEphemeral, bool RefusesIncompressible, uint Codec, long Limit, uint Mode, uint Owner, uint Group);

/// <summary>
/// Writes trees of files to a stream, through the mount, while they are in use: each file is saved as it was read. Nothing is
/// held but a descriptor or two and the names of the directories above, so that depth and number cost nothing. To read the
/// engine's pages past the file system was considered: it would bind a stream to the numbers of inodes and need a lock on all
/// names.
/// </summary>
internal sealed class TreeSaver(TreeWriter output)
{
    private const int Page = 4096;

    private readonly byte[] _chunk = new byte[TreeFormat.Chunk];
    private readonly Dictionary<ulong, ulong> _links = [];
    private readonly List<(byte[] Name, byte[] Value)> _attributes = [];

    /// <summary>Files, directories and links so far.</summary>
    public long Entries { get; private set; }

    private sealed class Level(ulong inode)
    {
        public readonly ulong Inode = inode;
        public readonly List<byte[]> Names = [];
        public int Next;
    }

    /// <summary>Saves a pool; the descriptor of its directory is closed.</summary>
    public void Save(in SavedPool pool, int folder)
    {
        try
        {
            _links.Clear();
            Check(Tree.Stat(folder, default, out var root), pool.Name, default);
            output.Begin(TreeRecord.Pool).Add((pool.IsEphemeral ? TreeFormat.Ephemeral : 0)
                | (pool.RefusesIncompressible ? TreeFormat.RefusesIncompressible : 0)).Add(pool.Codec).Add(pool.Mode)
                .Add(pool.Owner).Add(pool.Group).Add((ulong)pool.Limit).Add((ulong)root.Seconds).Add(root.Nanoseconds)
                .Add(Encoding.UTF8.GetBytes(pool.Name)).End();
            SaveAttributes(folder, "."u8);
            Stack<Level> above = new();
            above.Push(Enter(folder, root.Inode, pool.Name));
            while (true)
            {
                var level = above.Peek();
                if (level.Next < level.Names.Count)
                {
                    var name = level.Names[level.Next++];
                    if (SaveEntry(pool, folder, name, root) is not (>= 0 and var below, var inode)) continue;
                    Files.Close(folder);
                    folder = below;
                    above.Push(Enter(folder, inode, pool.Name));
                    continue;
                }
                output.Begin(TreeRecord.Up).End();
                above.Pop();
                if (above.Count == 0) return;
                Check(Tree.Open(folder, ".."u8, Files.DirectoryOnly, 0, out var parent), pool.Name, ".."u8);
                Files.Close(folder);
                folder = parent;
                // Moved while it was read: the rest of its old place cannot be found from here.
                if (Tree.Stat(folder, default, out var now) != Errno.Ok || now.Inode != above.Peek().Inode)
                    throw new TransferException($"a directory of pool '{pool.Name}' was moved while it was read", "save again");
            }
        }
        finally
        {
            Files.Close(folder);
        }
    }

    private static Level Enter(int folder, ulong inode, string pool)
    {
        var level = new Level(inode);
        Check(Tree.List(folder, level.Names), pool, "."u8);
        return level;
    }

    /// <summary>Saves a name; returns a directory's descriptor, for the caller to enter. What is gone is passed over.</summary>
    private (int Folder, ulong Inode) SaveEntry(in SavedPool pool, int folder, byte[] name, in Tree.Status root)
    {
        var error = Tree.Stat(folder, name, out var status);
        if (error == Errno.ENOENT) return (-1, 0);
        Check(error, pool.Name, name);
        if (status.DeviceMajor != root.DeviceMajor || status.DeviceMinor != root.DeviceMinor)
            throw new TransferException($"in pool '{pool.Name}', {Shown(name)} is a mount of something else", "unmount it first");
        if (status is { IsDirectory: false, Links: > 1 } && _links.TryGetValue(status.Inode, out var known))
        {
            output.Begin(TreeRecord.Link).Add(known).Add(name).End();
            Entries++;
            return (-1, 0);
        }
        byte[] target = [];
        var descriptor = -1;
        if (status.IsLink) error = Tree.ReadLink(folder, name, out target);
        else if (status.IsRegular || status.IsDirectory)
            error = Tree.Open(folder, name, status.IsDirectory ? Files.DirectoryOnly : Files.NonBlocking, 0, out descriptor);
        if (error == Errno.ENOENT) return (-1, 0);
        Check(error, pool.Name, name);
        var link = 0UL;
        if (status is { IsDirectory: false, Links: > 1 }) _links.Add(status.Inode, link = (ulong)_links.Count + 1);
        output.Begin(TreeRecord.Entry).Add(status.Mode).Add(status.Owner).Add(status.Group).Add(status.RawMajor)
            .Add(status.RawMinor).Add(link).Add(status.IsRegular ? status.Size : 0).Add((ulong)status.Seconds)
            .Add(status.Nanoseconds).Add((uint)name.Length).Add(name).Add(target).End();
        Entries++;
        if (status.IsDirectory)
        {
            SaveAttributes(descriptor, "."u8);
            return (descriptor, status.Inode);
        }
        if (status.IsRegular)
        {
            try
            {
                SaveData(pool, descriptor, name, status.Size);
            }
            finally
            {
                Files.Close(descriptor);
            }
        }
        SaveAttributes(folder, name);
        return (-1, 0);
    }

    private void SaveData(in SavedPool pool, int descriptor, byte[] name, ulong size)
    {
        for (var at = 0UL; at < size;)
        {
            var end = size;
            // A cache tells of no holes: what it has lost is no zeros.
            if (!pool.IsEphemeral)
            {
                var sought = Tree.Seek(descriptor, at, Tree.Data, out at);
                if (sought == Errno.ENXIO || at >= size) return;
                if (sought == Errno.Ok) sought = Tree.Seek(descriptor, at, Tree.Hole, out end);
                Check(sought, pool.Name, name);
                end = Math.Min(end, size);
            }
            while (at < end)
            {
                var wanted = _chunk.AsSpan(0, (int)Math.Min((ulong)_chunk.Length, end - at));
                var error = Tree.ReadAt(descriptor, wanted, at, out var read);
                if (error == Errno.ENODATA && pool.IsEphemeral)
                {
                    at = SavePages(pool, descriptor, name, at, wanted.Length);
                    continue;
                }
                Check(error, pool.Name, name);
                // It has become shorter.
                if (read == 0) return;
                output.Begin(TreeRecord.Data).Add(at).End(wanted[..read]);
                at += (ulong)read;
            }
        }
    }

    /// <summary>Saves the pages of a part that a cache still has. Returns the part's end.</summary>
    private ulong SavePages(in SavedPool pool, int descriptor, byte[] name, ulong from, int length)
    {
        var end = from + (ulong)length;
        for (var at = from; at < end;)
        {
            var next = Math.Min((at / Page + 1) * Page, end);
            var page = _chunk.AsSpan(0, (int)(next - at));
            var error = Tree.ReadAt(descriptor, page, at, out var read);
            if (error != Errno.ENODATA) Check(error, pool.Name, name);
            if (read > 0) output.Begin(TreeRecord.Data).Add(at).End(page[..read]);
            at = next;
        }
        return end;
    }

    private void SaveAttributes(int folder, ReadOnlySpan<byte> name)
    {
        _attributes.Clear();
        // A file system, or a kind of file, without attributes has none to save.
        _ = Tree.Attributes(folder, name, _attributes);
        foreach (var (key, value) in _attributes)
            if (!key.AsSpan().StartsWith("user.tmem."u8))
                output.Begin(TreeRecord.Attribute).Add((uint)key.Length).Add(key).End(value);
    }

    private static void Check(Errno error, string pool, ReadOnlySpan<byte> name)
    {
        if (error != Errno.Ok)
            throw new TransferException($"{(name.IsEmpty ? "" : $"{Shown(name)} in ")}pool '{pool}' cannot be read: "
                + error.Problem(), "see to it, or remove it, and save again");
    }

    private static string Shown(ReadOnlySpan<byte> name) => $"'{Encoding.UTF8.GetString(name)}'";
}
