using System.Runtime.InteropServices;

namespace Tmem.Engine.Format;

/// <summary>
/// The 12 bytes before a stored page: what reclaim needs to find and clear the leaf, and a reader to verify the bytes. Their
/// length and format are in the leaf (<see cref="PageDescriptor"/>).
/// <code>
/// word     | leaf place / 8 : 42 | pool place : 10 | bucket : 8 | use : 3 | 0 |     0 free; lowest bit set: taken, not committed
/// 4 bytes  checksum
/// </code>
/// The checksum covers the stored bytes, their length and their format: 1.5 KiB to read instead of the page's 4, and unpacking
/// the same bytes gives the same page. The use is a <see cref="PageUse"/>.
/// <para>To change the word of a committed slot takes the latch of its page's bucket; only the hands change it without, the use
/// alone and only if the word is still the one they saw.</para>
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = Bytes)]
internal unsafe struct SlotHeader
{
    public const int Bytes = 12;

    private const int UseShift = 1;
    private const int BucketShift = 4;
    private const int PoolShift = 12;
    private const int LeafShift = 22;
    private const ulong UseMask = 7UL << UseShift;
    private const ulong OwnerMask = (1UL << LeafShift) - (1UL << BucketShift);

    public ulong Word;
    public uint Checksum;

    public readonly ulong Leaf => Word >> LeafShift << 3;
    public readonly int PoolPlace => (int)(Word >> PoolShift) & 0x3FF;
    public readonly int Bucket => (byte)(Word >> BucketShift);
    public readonly byte Use => (byte)(Word >> UseShift & 7);
    public readonly bool IsCommitted => Word > 1 && (Word & 1) == 0;

    /// <summary>The word of a slot that is taken and not committed: its leaf is still to come.</summary>
    public static ulong MakeUnbound(int poolPlace, int bucket, byte use) =>
        Owner(poolPlace, bucket) | (ulong)use << UseShift | SlotState.InFlight;

    /// <summary>The word of a committed slot.</summary>
    public static ulong MakeWord(ulong leaf, int poolPlace, int bucket, byte use) =>
        leaf >> 3 << LeafShift | Owner(poolPlace, bucket) | (ulong)use << UseShift;

    /// <summary>The same page, in this leaf.</summary>
    public readonly ulong WordAt(ulong leaf) => leaf >> 3 << LeafShift | Word & (OwnerMask | UseMask);

    /// <summary>The same page with another use.</summary>
    public readonly ulong WordWith(byte use) => Word & ~UseMask | (ulong)use << UseShift;

    /// <summary>
    /// Changes the use of a slot seen without a latch, if its word is still the one seen. The place may by now be the middle of
    /// another page or a node, so no blind store is allowed; losing the change to a counting get (false) does no harm.
    /// </summary>
    public static bool ChangeUse(byte* slot, in SlotHeader seen, byte use) =>
        Interlocked.CompareExchange(ref *(ulong*)slot, seen.WordWith(use), seen.Word) == seen.Word;

    private static ulong Owner(int poolPlace, int bucket) =>
        (ulong)(uint)poolPlace << PoolShift | (ulong)(uint)bucket << BucketShift;
}
