using System.Runtime.InteropServices;

namespace Tmem.Engine.Pam;

/// <summary>
/// The 16 bytes before a stored page: all that reclaim needs to find and clear the leaf, and that a reader needs to trust the bytes.
/// <code>
/// word 0   | leaf place / 8 : 44 | stored length - 1 : 16 | format : 3 | 0 |    0 free; lowest bit set: taken, not committed
/// word 1   | visited : 8 | bucket : 8 | pool place : 16 | checksum : 32 |
/// </code>
/// The checksum covers the stored bytes, their length and their format: 1.5 KiB to read where the page would be 4, and unpacking the same
/// bytes gives the same page.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal struct SlotHeader
{
    public const int Bytes = 16;

    public ulong Word;
    public uint Checksum;
    public ushort PoolPlace;
    public byte Bucket;
    public byte Visited;

    public readonly ulong Leaf => Word >> 20 << 3;
    public readonly int Length => (int)(Word >> 4 & 0xFFFF) + 1;
    public readonly int Format => (int)(Word >> 1) & 7;
    public readonly bool IsCommitted => Word > 1 && (Word & 1) == 0;

    public static ulong MakeWord(ulong leaf, int length, int format) =>
        leaf >> 3 << 20 | (ulong)(uint)(length - 1) << 4 | (uint)format << 1;
}
