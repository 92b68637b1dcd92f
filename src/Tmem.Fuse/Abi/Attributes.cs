using System.Runtime.InteropServices;

namespace Tmem.Fuse.Abi;

/// <summary>struct fuse_attr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseAttr
{
    public ulong Ino;
    public ulong Size;
    public ulong Blocks;
    public ulong Atime;
    public ulong Mtime;
    public ulong Ctime;
    public uint AtimeNsec;
    public uint MtimeNsec;
    public uint CtimeNsec;
    public uint Mode;
    public uint Nlink;
    public uint Uid;
    public uint Gid;
    public uint Rdev;
    public uint Blksize;
    public uint Flags;
}

/// <summary>struct fuse_entry_out: the answer to LOOKUP and the creations. NodeId 0 is a negative entry.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseEntryOut
{
    public ulong NodeId;
    public ulong Generation;
    public ulong EntryValid;
    public ulong AttrValid;
    public uint EntryValidNsec;
    public uint AttrValidNsec;
    public FuseAttr Attr;
}

/// <summary>struct fuse_attr_out: the answer to GETATTR and SETATTR.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseAttrOut
{
    public ulong AttrValid;
    public uint AttrValidNsec;
    public uint Dummy;
    public FuseAttr Attr;
}

/// <summary>struct fuse_getattr_in.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseGetattrIn
{
    public uint GetattrFlags;
    public uint Dummy;
    public ulong Fh;
}

/// <summary>struct fuse_setattr_in.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseSetattrIn
{
    public FuseSetattrValid Valid;
    public uint Padding;
    public ulong Fh;
    public ulong Size;
    public ulong LockOwner;
    public ulong Atime;
    public ulong Mtime;
    public ulong Ctime;
    public uint AtimeNsec;
    public uint MtimeNsec;
    public uint CtimeNsec;
    public uint Mode;
    public uint Unused4;
    public uint Uid;
    public uint Gid;
    public uint Unused5;
}

/// <summary>FATTR_*: which fields of <see cref="FuseSetattrIn"/> are valid.</summary>
[Flags]
internal enum FuseSetattrValid : uint
{
    Mode = 1,
    Uid = 2,
    Gid = 4,
    Size = 8,
    Atime = 0x10,
    Mtime = 0x20,
    Fh = 0x40,
    AtimeNow = 0x80,
    MtimeNow = 0x100,
    LockOwner = 0x200,
    Ctime = 0x400,
    KillSuidGid = 0x800,
}

/// <summary>struct fuse_open_out.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseOpenOut
{
    public ulong Fh;
    public FuseOpenFlags OpenFlags;
    public int BackingId;
}

/// <summary>FOPEN_*.</summary>
[Flags]
internal enum FuseOpenFlags : uint
{
    None = 0,
    DirectIo = 1,
    KeepCache = 2,
    NonSeekable = 4,
    CacheDirectory = 8,
    Stream = 0x10,
    NoFlush = 0x20,
    ParallelDirectWrites = 0x40,
    Passthrough = 0x80,
}

/// <summary>struct fuse_kstatfs.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct FuseKstatfs
{
    public ulong Blocks;
    public ulong Bfree;
    public ulong Bavail;
    public ulong Files;
    public ulong Ffree;
    public uint Bsize;
    public uint NameLength;
    public uint Frsize;
    public uint Padding;
    public fixed uint Spare[6];
}
