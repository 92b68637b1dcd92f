using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Protocol;

/// <summary>What is known of an operation by its opcode alone.</summary>
/// <param name="Name">The protocol's name, for messages. Null: unknown.</param>
/// <param name="MinimumArguments">Fewest bytes after the header; names count as one byte and their NUL.</param>
/// <param name="Kind">Whether and how it is answered.</param>
/// <param name="Measured">What its latency is counted as.</param>
internal readonly record struct OpcodeInfo(string? Name, int MinimumArguments, OpcodeKind Kind, RequestKind Measured)
{
    /// <summary>False for the messages that the kernel expects no answer to: an answer would be an error.</summary>
    public bool HasReply => Kind != OpcodeKind.Silent;
}

internal enum OpcodeKind : byte
{
    /// <summary>Answered ENOSYS.</summary>
    Unsupported,
    /// <summary>
    /// Carried out and answered in a few microseconds, whatever its arguments (READ and WRITE: while they are small).
    /// </summary>
    Quick,
    /// <summary>Carried out and answered; may take long.</summary>
    Slow,
    /// <summary>Carried out, never answered.</summary>
    Silent,
}

/// <summary>The one table of operations. Operations not in it are answered ENOSYS.</summary>
internal static class OpcodeTable
{
    private const int Name = 2;
    private static readonly OpcodeInfo[] s_table = Build();

    /// <summary>The row of an operation; the default (no name, unsupported) for a number outside the table.</summary>
    public static ref readonly OpcodeInfo Find(FuseOpcode opcode)
    {
        var index = (uint)opcode;
        return ref s_table[index < (uint)s_table.Length ? index : 0];
    }

    /// <summary>Every operation with a name.</summary>
    public static IEnumerable<FuseOpcode> Known()
    {
        for (var i = 0; i < s_table.Length; i++)
            if (s_table[i].Name is not null) yield return (FuseOpcode)i;
    }

    /// <summary>The name of a message's operation, for the log.</summary>
    public static string NameOf(ReadOnlySpan<byte> message)
    {
        if (!MemoryMarshal.TryRead(message, out FuseInHeader header)) return "a message without a header";
        return $"{Find(header.Opcode).Name ?? $"operation {(uint)header.Opcode}"} on node {header.NodeId}";
    }

    private static OpcodeInfo[] Build()
    {
        var table = new OpcodeInfo[(int)FuseOpcode.CopyFileRange64 + 1];
        void Add(FuseOpcode opcode, int arguments, OpcodeKind kind) =>
            table[(int)opcode] = new OpcodeInfo(opcode.ToString().ToUpperInvariant(), arguments, kind,
                RequestKinds.Of(opcode));

        Add(FuseOpcode.Init, FuseInitIn.ShortSize, OpcodeKind.Quick);
        Add(FuseOpcode.Lookup, Name, OpcodeKind.Quick);
        Add(FuseOpcode.Forget, Unsafe.SizeOf<FuseForgetIn>(), OpcodeKind.Silent);
        Add(FuseOpcode.BatchForget, Unsafe.SizeOf<FuseBatchForgetIn>(), OpcodeKind.Silent);
        Add(FuseOpcode.Interrupt, Unsafe.SizeOf<FuseInterruptIn>(), OpcodeKind.Silent);
        Add(FuseOpcode.NotifyReply, 0, OpcodeKind.Silent);
        Add(FuseOpcode.Getattr, Unsafe.SizeOf<FuseGetattrIn>(), OpcodeKind.Quick);
        Add(FuseOpcode.Setattr, Unsafe.SizeOf<FuseSetattrIn>(), OpcodeKind.Slow);
        Add(FuseOpcode.Access, Unsafe.SizeOf<FuseAccessIn>(), OpcodeKind.Quick);
        Add(FuseOpcode.Readlink, 0, OpcodeKind.Quick);
        Add(FuseOpcode.Symlink, Name + Name, OpcodeKind.Quick);
        Add(FuseOpcode.Mknod, Unsafe.SizeOf<FuseMknodIn>() + Name, OpcodeKind.Quick);
        Add(FuseOpcode.Mkdir, Unsafe.SizeOf<FuseMkdirIn>() + Name, OpcodeKind.Quick);
        Add(FuseOpcode.Unlink, Name, OpcodeKind.Slow);
        Add(FuseOpcode.Rmdir, Name, OpcodeKind.Slow);
        Add(FuseOpcode.Rename, Unsafe.SizeOf<FuseRenameIn>() + Name + Name, OpcodeKind.Slow);
        Add(FuseOpcode.Rename2, Unsafe.SizeOf<FuseRename2In>() + Name + Name, OpcodeKind.Slow);
        Add(FuseOpcode.Link, Unsafe.SizeOf<FuseLinkIn>() + Name, OpcodeKind.Quick);
        Add(FuseOpcode.Create, Unsafe.SizeOf<FuseCreateIn>() + Name, OpcodeKind.Quick);
        Add(FuseOpcode.Open, Unsafe.SizeOf<FuseOpenIn>(), OpcodeKind.Slow);
        Add(FuseOpcode.Release, Unsafe.SizeOf<FuseReleaseIn>(), OpcodeKind.Slow);
        Add(FuseOpcode.Read, Unsafe.SizeOf<FuseReadIn>(), OpcodeKind.Quick);
        Add(FuseOpcode.Write, Unsafe.SizeOf<FuseWriteIn>(), OpcodeKind.Quick);
        Add(FuseOpcode.Flush, Unsafe.SizeOf<FuseFlushIn>(), OpcodeKind.Quick);
        Add(FuseOpcode.Fsync, Unsafe.SizeOf<FuseFsyncIn>(), OpcodeKind.Slow);
        Add(FuseOpcode.Fallocate, Unsafe.SizeOf<FuseFallocateIn>(), OpcodeKind.Slow);
        Add(FuseOpcode.Lseek, Unsafe.SizeOf<FuseLseekIn>(), OpcodeKind.Slow);
        Add(FuseOpcode.Opendir, Unsafe.SizeOf<FuseOpenIn>(), OpcodeKind.Quick);
        Add(FuseOpcode.Readdir, Unsafe.SizeOf<FuseReadIn>(), OpcodeKind.Slow);
        Add(FuseOpcode.Readdirplus, Unsafe.SizeOf<FuseReadIn>(), OpcodeKind.Slow);
        Add(FuseOpcode.Releasedir, Unsafe.SizeOf<FuseReleaseIn>(), OpcodeKind.Quick);
        Add(FuseOpcode.Fsyncdir, Unsafe.SizeOf<FuseFsyncIn>(), OpcodeKind.Slow);
        Add(FuseOpcode.Statfs, 0, OpcodeKind.Quick);
        Add(FuseOpcode.Setxattr, Unsafe.SizeOf<FuseSetxattrCompatIn>() + Name, OpcodeKind.Quick);
        Add(FuseOpcode.Getxattr, Unsafe.SizeOf<FuseGetxattrIn>() + Name, OpcodeKind.Quick);
        Add(FuseOpcode.Listxattr, Unsafe.SizeOf<FuseGetxattrIn>(), OpcodeKind.Quick);
        Add(FuseOpcode.Removexattr, Name, OpcodeKind.Quick);

        // Locks stay in the kernel; memory-mapped, device and polling operations have no meaning here; COPY_FILE_RANGE falls back
        // to read and write by itself; STATX is asked for its birth time only.
        foreach (var opcode in new[]
        {
            FuseOpcode.Getlk, FuseOpcode.Setlk, FuseOpcode.Setlkw, FuseOpcode.Bmap, FuseOpcode.Destroy, FuseOpcode.Ioctl,
            FuseOpcode.Poll, FuseOpcode.CopyFileRange, FuseOpcode.SetupMapping, FuseOpcode.RemoveMapping, FuseOpcode.Syncfs,
            FuseOpcode.Tmpfile, FuseOpcode.Statx, FuseOpcode.CopyFileRange64,
        })
            Add(opcode, 0, OpcodeKind.Unsupported);
        return table;
    }
}
