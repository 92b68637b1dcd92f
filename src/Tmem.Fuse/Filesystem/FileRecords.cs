using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The records of the file system in the region, and which of their fields are the truth. A record exists from its commit on.
/// Fields marked derived link records to one another; an attach does not trust them but computes them anew (Recovery). The truth
/// is small on purpose: an entry names its parent, its child and its own name; an inode has its attributes; an extended attribute
/// and a link target name the inode they belong to. Tables of inodes at fixed places were considered: they would need a
/// consistent free map of their own, which the record store already is.
/// <para>
/// A checksum (<see cref="RecordSum"/>) covers what never changes in a record, or changes only through the journal: an entry, an
/// attribute and a link target whole, an inode's identity (kind of file, pool, generation, target). So no reference to one file
/// is ever taken for another's, and no name or value is shown that was never stored. Sizes, times, owners and permissions change
/// in place, each by one store and mostly without a lock; a sum over them would have to change with them, and is not kept: any
/// value of these is one that could have been set.
/// </para>
/// </summary>
internal static class RecordKind
{
    public const byte Root = 1;
    public const byte Inode = 2;
    public const byte Entry = 3;
    public const byte Attribute = 4;
    public const byte Target = 5;
    public const byte Journal = 6;
    public const byte Answers = 7;
}

/// <summary>One a region: the root from which all else is reached.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RootRecord : IRecord
{
    public const ulong CurrentVersion = 3;

    public ulong Version;
    /// <summary>The root directory's inode.</summary>
    public ulong RootInode;
    /// <summary>Key of the hash of names, random per region and never shown: nobody can prepare colliding names.</summary>
    public SipKey HashKey;
    /// <summary>The <see cref="JournalRecord"/>.</summary>
    public ulong Journal;
    public AnswerBanks Answers;
    /// <summary>Sum of the fields above.</summary>
    public ulong Sum;
    /// <summary>The last generation of an inode handed out.</summary>
    public ulong Counter;
    /// <summary>How many processes have attached to the file system.</summary>
    public ulong Processes;

    static byte IRecord.Kind => RecordKind.Root;
}

/// <summary>The records of the answers: each an <see cref="AnswerBank"/>.</summary>
[InlineArray(Filesystem.Answers.Banks)]
internal struct AnswerBanks
{
    private ulong _first;
}

[Flags]
internal enum InodeFlags : uint
{
    None = 0,
    /// <summary>The file's pool is ephemeral: a missing page is lost, not zero.</summary>
    Ephemeral = 1,
    /// <summary>
    /// A truncation in a full store could not clear the rest of the last page: it is cleared before the file grows over it.
    /// </summary>
    StaleTail = 2,
    /// <summary>The first-level directory of a pool.</summary>
    PoolDirectory = 4,
    /// <summary>
    /// A truncation is not finished: pages behind the end may still be stored, and are dropped before the file grows.
    /// </summary>
    StalePages = 8,
    /// <summary>
    /// A user has set the modification time, and the kernel may not have written back earlier changes yet: see <see
    /// cref="FileClock.Grace"/>.
    /// </summary>
    TimeWasSet = 16,
    /// <summary>
    /// Derived. A directory that lost its name while others were below it: they are being removed, and it is freed after them.
    /// </summary>
    Held = 32,
    /// <summary>
    /// A pool's directory that was made for swap: set with its creation or never. Not in the sum, so that older programs take the
    /// directory for whole; a flip costs at most an empty pool of root's.
    /// </summary>
    Swap = 64,

    /// <summary>The flags that never change.</summary>
    Lasting = Ephemeral | PoolDirectory,
}

/// <summary>
/// A file, directory, symbolic link, fifo, socket or device. Times are packed as <see cref="FileClock"/> does, so that each is
/// one store.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct InodeRecord : IRecord
{
    /// <summary>Never the same for two inodes of a region: node id and generation together are unique for ever.</summary>
    public ulong Generation;
    /// <summary>Bytes of a file, or of a link's target.</summary>
    public ulong Size;
    public ulong AccessTime;
    public ulong ModifyTime;
    public ulong ChangeTime;
    /// <summary>File type and permissions, as in st_mode.</summary>
    public uint Mode;
    public uint Uid;
    public uint Gid;
    public uint Device;
    /// <summary>The pool; 0 for the root directory.</summary>
    public uint Pool;
    public InodeFlags Flags;
    /// <summary>Symbolic link: its <see cref="TargetRecord"/>.</summary>
    public ulong Target;

    /// <summary>The kernel's lookups that it has not forgotten yet.</summary>
    public ulong Lookups;
    /// <summary>
    /// Open handles: the low half counts all of them, the high half those that can be mapped for writing. One word, so that an
    /// operation changes both in one store.
    /// </summary>
    public ulong Opens;

    /// <summary>
    /// Derived. Of a directory: the directory that holds its name (of a removed one: that held it; after an attach 0, or, of one
    /// that is <see cref="InodeFlags.Held"/>, the next such one). Of a dead file: the next one whose pages are still to be
    /// dropped; 0 for any other file.
    /// </summary>
    public ulong Parent;
    /// <summary>Derived. Directory: root of the tree of its entries.</summary>
    public ulong Children;
    /// <summary>Derived. Root of the tree of extended attributes.</summary>
    public ulong Attributes;
    /// <summary>Derived. One of its entries; 0 if none is known (the remembered one of several names is gone).</summary>
    public ulong Entry;
    /// <summary>Derived. Number of extended attributes.</summary>
    public uint AttributeCount;
    /// <summary>Derived. Bytes of their names and values.</summary>
    public uint AttributeBytes;
    /// <summary>
    /// Derived. st_nlink: a file's names; for a directory 2 plus one for each directory in it; 0 without a name.
    /// </summary>
    public uint Links;
    /// <summary>Derived. Scratch of the verifier.</summary>
    public uint Mark;
    /// <summary>Sum of what never changes: see <see cref="RecordSum"/>.</summary>
    public uint Sum;
    /// <summary>Whether the kernel may keep pages of the file, 0 if not: see <see cref="PageCacheTrace"/>.</summary>
    public uint Kept;

    static byte IRecord.Kind => RecordKind.Inode;

    public readonly bool IsDirectory => (Mode & InodeMode.TypeMask) == InodeMode.Directory;
    public readonly bool IsRegular => (Mode & InodeMode.TypeMask) == InodeMode.Regular;
    public readonly bool IsSymbolicLink => (Mode & InodeMode.TypeMask) == InodeMode.SymbolicLink;
    public readonly bool IsEphemeral => (Flags & InodeFlags.Ephemeral) != 0;

    /// <summary>What one handle adds to <see cref="Opens"/>.</summary>
    public static ulong Handle(bool mapsForWriting) => mapsForWriting ? 1UL << 32 | 1 : 1;

    public readonly uint Handles => (uint)Volatile.Read(in Opens);

    /// <summary>
    /// Whether the file may be mapped for writing: then the kernel may hold newer data than is stored here. A mapping keeps its
    /// handle, and what was written through it arrives here before the last of them is released.
    /// </summary>
    public readonly bool MayBeNewerInKernel => Volatile.Read(in Opens) >> 32 != 0;

    /// <summary>Sets a flag; others may change concurrently.</summary>
    public void Raise(InodeFlags flag) => Interlocked.Or(ref Unsafe.As<InodeFlags, uint>(ref Flags), (uint)flag);

    /// <summary>Clears a flag.</summary>
    public void Lower(InodeFlags flag) => Interlocked.And(ref Unsafe.As<InodeFlags, uint>(ref Flags), ~(uint)flag);

    public readonly bool Has(InodeFlags flag) => (Flags & flag) != 0;

    /// <summary>No name and no reference: the record is about to be freed.</summary>
    public readonly bool IsDead => Links == 0 && Lookups == 0 && Opens == 0;
}

/// <summary>A name in a directory; the name's bytes follow.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct EntryRecord : ITreeRecord<EntryRecord>
{
    /// <summary>Derived.</summary>
    public ulong Left;
    /// <summary>Derived.</summary>
    public ulong Right;
    /// <summary>
    /// Sum of the name's length and all that follows (high half), and the name's length (low half): one word, which changes with
    /// the child.
    /// </summary>
    public ulong SumAndLength;
    /// <summary>
    /// Position in the directory's tree, and READDIR's cookie: bits 16-62 hash of the name (never 0), bits 0-15 a number from 1
    /// that tells names of equal hash apart. It never changes while the entry lives, so listings survive insertions and removals.
    /// It shows the hash, which does not help to find names of one hash: that takes making and listing 2^24 names for one pair of
    /// them.
    /// </summary>
    public ulong Key;
    /// <summary>Inode of the directory.</summary>
    public ulong Parent;
    /// <summary>
    /// Inode that the name refers to. A rename over an existing name switches it. 0: the inode was lost to damage.
    /// </summary>
    public ulong Child;

    public readonly uint NameLength => (uint)SumAndLength;

    static byte IRecord.Kind => RecordKind.Entry;
    static ulong ITreeRecord<EntryRecord>.Key(in EntryRecord record) => record.Key;
    static ref ulong ITreeRecord<EntryRecord>.Left(ref EntryRecord record) => ref record.Left;
    static ref ulong ITreeRecord<EntryRecord>.Right(ref EntryRecord record) => ref record.Right;
}

/// <summary>An extended attribute; name and value follow.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AttributeRecord : ITreeRecord<AttributeRecord>
{
    /// <summary>Derived.</summary>
    public ulong Left;
    /// <summary>Derived.</summary>
    public ulong Right;
    /// <summary>Sum of all that follows.</summary>
    public uint Sum;
    public ushort NameLength;
    public ushort ValueLength;
    /// <summary>Position in the inode's tree, as an entry's.</summary>
    public ulong Key;
    /// <summary>Inode it belongs to.</summary>
    public ulong Owner;

    static byte IRecord.Kind => RecordKind.Attribute;
    static ulong ITreeRecord<AttributeRecord>.Key(in AttributeRecord record) => record.Key;
    static ref ulong ITreeRecord<AttributeRecord>.Left(ref AttributeRecord record) => ref record.Left;
    static ref ulong ITreeRecord<AttributeRecord>.Right(ref AttributeRecord record) => ref record.Right;
}

/// <summary>The target of a symbolic link; the bytes follow.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TargetRecord : IRecord
{
    /// <summary>Sum of the length and all that follows.</summary>
    public uint Sum;
    public uint Length;
    /// <summary>Inode it belongs to.</summary>
    public ulong Owner;

    static byte IRecord.Kind => RecordKind.Target;
}
