using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Protocol;

/// <summary>
/// Packs directory entries into the reply of READDIR (fuse_dirent) or READDIRPLUS (fuse_direntplus), each record padded to 8
/// bytes. The file system asks <see cref="Plus"/> to know whether it must supply the full entry and count a lookup.
/// </summary>
internal ref struct DirectoryWriter
{
    private readonly Span<byte> _buffer;

    public DirectoryWriter(Span<byte> buffer, bool plus)
    {
        _buffer = buffer;
        Plus = plus;
        Length = 0;
    }

    /// <summary>
    /// True for READDIRPLUS: every entry added with a node id other than 0 (all but "." and "..") counts as one lookup.
    /// </summary>
    public bool Plus { get; }

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    /// <summary>Whether a name of this many bytes still fits; ask before counting a lookup.</summary>
    public readonly bool Fits(int nameLength) => RecordSize(nameLength) <= _buffer.Length - Length;

    /// <summary>Adds one entry.</summary>
    /// <param name="inode">st_ino.</param>
    /// <param name="type">DT_*: the mode's file type shifted right by 12.</param>
    /// <param name="cookie">The offset from which a later call resumes after this entry; never 0.</param>
    /// <param name="name">The name, without NUL.</param>
    /// <param name="entry">For READDIRPLUS the full entry (NodeId 0: the kernel looks it up itself); ignored otherwise.</param>
    /// <returns>False if it does not fit; nothing was written.</returns>
    public bool TryAdd(ulong inode, uint type, ulong cookie, ReadOnlySpan<byte> name, in FuseEntryOut entry)
    {
        var size = RecordSize(name.Length);
        if (size > _buffer.Length - Length) return false;
        var record = _buffer.Slice(Length, size);
        record.Clear();
        if (Plus)
        {
            MemoryMarshal.Write(record, in entry);
            record = record[Unsafe.SizeOf<FuseEntryOut>()..];
        }
        MemoryMarshal.Write(record, new FuseDirent { Ino = inode, Off = cookie, NameLength = (uint)name.Length, Type = type });
        name.CopyTo(record[Unsafe.SizeOf<FuseDirent>()..]);
        Length += size;
        return true;
    }

    private readonly int RecordSize(int nameLength) =>
        ((Plus ? Unsafe.SizeOf<FuseEntryOut>() : 0) + Unsafe.SizeOf<FuseDirent>() + nameLength + 7) & ~7;
}
