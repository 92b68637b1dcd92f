using System.Text;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Tests;

/// <summary>
/// A small file system in managed memory: a root directory and files below it, enough to exercise protocol and transport. One
/// lock; files have a fixed room so that reads and writes allocate nothing. Extended attributes and symbolic links are kept,
/// directories are flat. This part holds names and nodes; contents and extended attributes have parts of their own.
/// </summary>
internal sealed partial class MemoryFileSystem(int fileRoom = 1 << 20) : IFileSystem
{
    private sealed class Node
    {
        public required ulong Id;
        public required uint Mode;
        public byte[] Data = [];
        public long Size;
        public ulong Lookups;
        public readonly Dictionary<string, byte[]> Attributes = [];
    }

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Node> _nodes = new() { [1] = new Node { Id = 1, Mode = 0x4000 | 0x1ed } };
    private readonly SortedDictionary<string, ulong> _names = new(StringComparer.Ordinal);
    private ulong _next = 2;

    /// <summary>The last calls, for tests to inspect.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>Makes every call throw.</summary>
    public bool Broken { get; set; }

    public bool Recording { get; set; }

    private void Note(string call)
    {
        if (Broken) throw new InvalidOperationException("seeded\nbug");
        if (Recording) Calls.Add(call);
    }

    private static string Text(ReadOnlySpan<byte> name) => Encoding.Latin1.GetString(name);

    private static FuseAttr AttrOf(Node node) => new()
    {
        Ino = node.Id, Size = (ulong)node.Size, Blocks = (ulong)(node.Size + 511) / 512, Mode = node.Mode, Nlink = 1, Blksize =
            4096,
    };

    private static FuseEntryOut EntryOf(Node node)
    {
        node.Lookups++;
        return new FuseEntryOut { NodeId = node.Id, EntryValid = 1, AttrValid = 1, Attr = AttrOf(node) };
    }

    private Errno Find(ulong id, out Node node) => _nodes.TryGetValue(id, out node!) ? Errno.Ok : Errno.ENOENT;

    private Errno Add(NodeId parent, ReadOnlySpan<byte> name, uint mode, out FuseEntryOut entry)
    {
        entry = default;
        if (parent != NodeId.Root) return Errno.ENOTDIR;
        lock (_lock)
        {
            var text = Text(name);
            if (_names.ContainsKey(text)) return Errno.EEXIST;
            var node = new Node { Id = _next++, Mode = mode, Data = new byte[fileRoom] };
            _nodes[node.Id] = node;
            _names[text] = node.Id;
            entry = EntryOf(node);
            return Errno.Ok;
        }
    }

    public Errno Lookup(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, out FuseEntryOut entry)
    {
        entry = default;
        if (Broken || Recording) Note($"lookup {parent.Value} {Text(name)}");
        lock (_lock)
        {
            // No string for a hit: the allocation test looks names up too.
            foreach (var (key, id) in _names)
            {
                if (key.Length != name.Length) continue;
                var same = true;
                for (var i = 0; i < key.Length; i++) same &= key[i] == name[i];
                if (!same) continue;
                entry = EntryOf(_nodes[id]);
                return Errno.Ok;
            }
            return Errno.ENOENT;
        }
    }

    /// <summary>The unique of a request that was carried out before, and its answer.</summary>
    public (ulong Unique, Recollection Answer) Remembered { get; set; }

    /// <summary>The unique of a FORGET message, and how many of its nodes are forgotten.</summary>
    public (ulong Unique, uint Nodes) ForgottenBefore { get; set; }

    public bool Recall(in Caller caller, out Recollection answer)
    {
        answer = Remembered.Answer;
        return caller.Unique == Remembered.Unique;
    }

    public uint Forgotten(in Caller caller) => caller.Unique == ForgottenBefore.Unique ? ForgottenBefore.Nodes : 0;

    public void Forget(in Caller caller, NodeId node, ulong lookups) => Note($"forget {node.Value} {lookups}");

    public Errno GetAttributes(NodeId node, out FuseAttrOut attributes)
    {
        attributes = default;
        if (Broken || Recording) Note($"getattr {node.Value}");
        lock (_lock)
        {
            if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
            attributes = new FuseAttrOut { AttrValid = 1, Attr = AttrOf(found) };
            return Errno.Ok;
        }
    }

    public Errno SetAttributes(in Caller caller, NodeId node, in FuseSetattrIn change, out FuseAttrOut attributes,
        out Deferral deferral)
    {
        deferral = OnTruncate is null ? default : Deferral.Truncated(node);
        attributes = default;
        Note($"setattr {node.Value} {change.Valid} {change.Size}");
        lock (_lock)
        {
            if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
            if ((change.Valid & FuseSetattrValid.Size) != 0)
            {
                // A directory and a symlink have no data to truncate.
                if (change.Size > (ulong)found.Data.Length) return found.Data.Length == fileRoom ? Errno.EFBIG : Errno.EISDIR;
                if ((long)change.Size < found.Size) found.Data.AsSpan((int)change.Size).Clear();
                found.Size = (long)change.Size;
            }
            if ((change.Valid & FuseSetattrValid.Mode) != 0) found.Mode = (found.Mode & 0xf000) | (change.Mode & 0xfff);
            attributes = new FuseAttrOut { AttrValid = 1, Attr = AttrOf(found) };
            return Errno.Ok;
        }
    }

    public Errno Access(in Caller caller, NodeId node, uint mask)
    {
        Note($"access {node.Value} {mask} by {caller.Uid}:{caller.Gid}:{caller.Pid}");
        return Errno.Ok;
    }

    public Errno MakeDirectory(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint mode, out FuseEntryOut entry)
    {
        Note($"mkdir {parent.Value} {Text(name)} {mode}");
        return Add(parent, name, mode | 0x4000, out entry);
    }

    public Errno MakeNode(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint mode, uint device,
        out FuseEntryOut entry)
    {
        Note($"mknod {parent.Value} {Text(name)} {mode} {device}");
        return Add(parent, name, mode, out entry);
    }

    public Errno SymbolicLink(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target,
        out FuseEntryOut entry)
    {
        Note($"symlink {parent.Value} {Text(name)} {Text(target)}");
        var error = Add(parent, name, 0xa000 | 0x1ff, out entry);
        if (error != Errno.Ok) return error;
        var node = _nodes[entry.NodeId];
        target.CopyTo(node.Data);
        node.Size = target.Length;
        return Errno.Ok;
    }

    public Errno ReadLink(NodeId node, Span<byte> target, out int length)
    {
        length = 0;
        Note($"readlink {node.Value}");
        if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
        if (found.Mode >> 12 != 0xa || found.Size > target.Length) return Errno.EINVAL;
        length = (int)found.Size;
        found.Data.AsSpan(0, length).CopyTo(target);
        return Errno.Ok;
    }

    public Errno Link(in Caller caller, NodeId node, NodeId newParent, ReadOnlySpan<byte> newName, out FuseEntryOut entry)
    {
        entry = default;
        Note($"link {node.Value} {newParent.Value} {Text(newName)}");
        lock (_lock)
        {
            if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
            if (!_names.TryAdd(Text(newName), node.Value)) return Errno.EEXIST;
            entry = EntryOf(found);
            return Errno.Ok;
        }
    }

    public Errno Unlink(in Caller caller, NodeId parent, ReadOnlySpan<byte> name)
    {
        Note($"unlink {parent.Value} {Text(name)}");
        lock (_lock) return _names.Remove(Text(name)) ? Errno.Ok : Errno.ENOENT;
    }

    public Errno RemoveDirectory(in Caller caller, NodeId parent, ReadOnlySpan<byte> name)
    {
        Note($"rmdir {parent.Value} {Text(name)}");
        lock (_lock) return _names.Remove(Text(name)) ? Errno.Ok : Errno.ENOENT;
    }

    public Errno Rename(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, NodeId newParent, ReadOnlySpan<byte> newName,
        uint flags)
    {
        Note($"rename {parent.Value} {Text(name)} {newParent.Value} {Text(newName)} {flags}");
        lock (_lock)
        {
            if (!_names.Remove(Text(name), out var id)) return Errno.ENOENT;
            _names[Text(newName)] = id;
            return Errno.Ok;
        }
    }

    public Errno Create(in Caller caller, NodeId parent, ReadOnlySpan<byte> name, uint flags, uint mode, uint openFlags,
        out FuseEntryOut entry, out FuseOpenOut open)
    {
        open = new FuseOpenOut { Fh = 77, OpenFlags = FuseOpenFlags.KeepCache };
        Note($"create {parent.Value} {Text(name)} {flags} {mode} {openFlags}");
        var error = Add(parent, name, mode, out entry);
        if (error != Errno.Ok || !IsLate) return error;
        IsLate = false;
        return Errno.ESTALE;
    }

    /// <summary>The next CREATE finds that another has just made the file.</summary>
    public bool IsLate { get; set; }

    public Errno OpenDirectory(in Caller caller, NodeId node, uint flags, out FuseOpenOut open)
    {
        open = new FuseOpenOut { Fh = 78 };
        Note($"opendir {node.Value} {flags}");
        return Errno.Ok;
    }

    public void ReleaseDirectory(in Caller caller, NodeId node, ulong handle) => Note($"releasedir {node.Value} {handle}");

    public Errno ReadDirectory(in Caller caller, NodeId node, ulong handle, ulong cookie, ref DirectoryWriter writer)
    {
        Note($"readdir {node.Value} {handle} {cookie} {writer.Plus}");
        lock (_lock)
        {
            ulong at = 0;
            foreach (var (name, id) in _names)
            {
                if (++at <= cookie) continue;
                if (!writer.Fits(name.Length)) break;
                var found = _nodes[id];
                var entry = writer.Plus ? EntryOf(found) : default;
                writer.TryAdd(id, found.Mode >> 12, at, Encoding.Latin1.GetBytes(name), in entry);
            }
            return Errno.Ok;
        }
    }

    public Errno GetFileSystem(NodeId node, out FuseKstatfs figures)
    {
        Note($"statfs {node.Value}");
        figures = new FuseKstatfs { Blocks = 1000, Bfree = 900, Bavail = 900, Bsize = 4096, Frsize = 4096, NameLength = 255 };
        return Errno.Ok;
    }
}
