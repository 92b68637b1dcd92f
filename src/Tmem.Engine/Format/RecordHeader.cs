namespace Tmem.Engine.Format;

/// <summary>
/// The two words before a record's payload.
/// <code>
/// word 0   | payload length : 16 | pool id : 32 | kind : 8 | 0 : 4 | retired : 2 | 1 (committed) | 0 |
///          1 until committed, 0 when free
/// word 1   the later word 0, kept until the commit
/// words 2- payload
/// </code>
/// </summary>
internal static class RecordHeader
{
    public const int Bytes = 16;
    public const ulong Committed = 2;

    /// <summary>
    /// Both bits or neither: one alone has flipped, and must not make the record look like one its owner has freed.
    /// </summary>
    public const ulong Retired = 12;

    public const ulong States = 15;

    private const int KindShift = 8;
    private const int PoolShift = 16;
    private const int LengthShift = 48;

    /// <summary>Word 0 of a record that exists, and word 1 of any.</summary>
    public static ulong Make(byte kind, int payload, PoolId pool) =>
        (ulong)payload << LengthShift | (ulong)pool.Value << PoolShift | (uint)kind << KindShift | Committed;

    public static byte Kind(ulong header) => (byte)(header >> KindShift);
    public static int Length(ulong header) => (int)(header >> LengthShift);

    /// <summary>The pool that the record counts against, if any.</summary>
    public static PoolId Pool(ulong header) => new((uint)(header >> PoolShift));

    /// <summary>
    /// Whether an attach keeps a slot with this first word: records that exist, retired ones, and those that were one of these
    /// until something damaged them, which their owner must learn of. The second word is complete before the first is more than
    /// taken and changes only after the first is 0, so whatever else two words that do not agree may be, no kill has left them.
    /// </summary>
    public static bool IsKept(ulong header) => header > SlotState.InFlight;

    /// <summary>Whether the two copies of a header, the first of which holds the state, agree and fit their slot.</summary>
    public static bool IsSound(ulong header, ulong copy, int slotBytes) =>
        (copy & States) == Committed && Kind(copy) != 0
        && Length(copy) is > 0 and var length && length <= slotBytes - Bytes
        && (header == SlotState.InFlight || (header ^ copy) is 0 or Retired);
}
