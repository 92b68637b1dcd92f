using System.Runtime.InteropServices;

namespace Tmem.Engine.Pam;

/// <summary>
/// The 16 bytes before a stored page: all that reclaim needs to find and clear the leaf, and that a reader needs to trust the bytes.
/// <code>
/// word 0   | leaf place / 8 : 44 | stored length - 1 : 16 | format : 3 | 0 |    0 free; lowest bit set: taken, not committed
/// word 1   | use : 8 | bucket : 8 | pool place : 16 | checksum : 32 |
/// </code>
/// The checksum covers the stored bytes, their length and their format: 1.5 KiB to read where the page would be 4, and unpacking the same
/// bytes gives the same page. The use is <see cref="Reclaim.PageUse"/>'s.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal unsafe struct SlotHeader
{
    public const int Bytes = 16;

    public ulong Word;
    public uint Checksum;
    public ushort PoolPlace;
    public byte Bucket;
    public byte Use;

    public readonly ulong Leaf => Word >> 20 << 3;
    public readonly int Length => (int)(Word >> 4 & 0xFFFF) + 1;
    public readonly int Format => (int)(Word >> 1) & 7;
    public readonly bool IsCommitted => Word > 1 && (Word & 1) == 0;

    public static ulong MakeWord(ulong leaf, int length, int format) =>
        leaf >> 3 << 20 | (ulong)(uint)(length - 1) << 4 | (uint)format << 1;

    /// <summary>
    /// Changes the use of a slot seen without a latch, if its second word is still what was seen. By now the place may be the middle of
    /// another page or a node, so nothing may be written there unseen; a change lost to a get that counts is no loss.
    /// </summary>
    public static void ChangeUse(byte* slot, in SlotHeader seen, byte use)
    {
        var changed = seen;
        changed.Use = use;
        Interlocked.CompareExchange(ref ((ulong*)slot)[1], changed.SecondWord, seen.SecondWord);
    }

    private readonly ulong SecondWord => Checksum | (ulong)PoolPlace << 32 | (ulong)Bucket << 48 | (ulong)Use << 56;
}
