using System.Runtime.InteropServices;

namespace Tmem.Fuse.Abi;

/// <summary>struct fuse_in_header: opens every request. <see cref="Length"/> counts the header and all that follows it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseInHeader
{
    public uint Length;
    public FuseOpcode Opcode;
    /// <summary>Identifies the request; bit 63 (<see cref="FuseProtocol.UniqueResend"/>) marks a resent one.</summary>
    public ulong Unique;
    public ulong NodeId;
    public uint Uid;
    public uint Gid;
    public uint Pid;
    /// <summary>
    /// Trailing extension records, in units of 8 bytes; 0 unless SECURITY_CTX or CREATE_SUPP_GROUP was negotiated.
    /// </summary>
    public ushort TotalExtLength;
    public ushort Padding;
}

/// <summary>struct fuse_out_header: opens every reply. With an error (a negative errno) the body must be empty.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FuseOutHeader
{
    public uint Length;
    public int Error;
    public ulong Unique;
}

/// <summary>Sizes and marks of the protocol.</summary>
internal static class FuseProtocol
{
    public const uint Major = 7;

    /// <summary>The newest minor version supported.</summary>
    public const uint Minor = 45;

    /// <summary>The oldest: before it the attribute and entry replies were shorter, and a create carried no umask.</summary>
    public const uint OldestMinor = 12;

    public const int InHeaderSize = 40;
    public const int OutHeaderSize = 16;

    /// <summary>The largest request is a WRITE: the header, fuse_write_in, and max_write bytes.</summary>
    public const int WriteOverhead = InHeaderSize + 40;

    /// <summary>FUSE_UNIQUE_RESEND.</summary>
    public const ulong UniqueResend = 1UL << 63;
}
