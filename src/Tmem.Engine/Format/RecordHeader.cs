namespace Tmem.Engine.Format;

/// <summary>
/// The header of a record: two words before its payload.
/// <code>
/// word 0   | payload length : 16 | pool id : 32 | kind : 8 | 0 : 4 | retired : 2 | 1 (committed) | 0 |
///          0 while the slot is free, 1 while it is in flight (<see cref="SlotState"/>)
/// word 1   a copy of the committed word 0, written before the commit
/// words 2- payload
/// </code>
/// </summary>
internal static class RecordHeader
{
    public const int Bytes = 16;
    public const ulong Committed = 2;

    /// <summary>
    /// Both bits or neither: a single flipped bit must not make a committed record look like a retired one, which its owner
    /// frees.
    /// </summary>
    public const ulong Retired = 12;

    public const ulong States = 15;

    private const int KindShift = 8;
    private const int PoolShift = 16;
    private const int LengthShift = 48;

    /// <summary>Word 0 of a committed record, and word 1 of any.</summary>
    public static ulong Make(byte kind, int payloadBytes, PoolId pool) =>
        (ulong)payloadBytes << LengthShift | (ulong)pool.Value << PoolShift | (uint)kind << KindShift | Committed;

    public static byte Kind(ulong header) => (byte)(header >> KindShift);
    public static int Length(ulong header) => (int)(header >> LengthShift);

    /// <summary>The pool that the record counts against, if any.</summary>
    public static PoolId Pool(ulong header) => new((uint)(header >> PoolShift));

    /// <summary>
    /// Whether an attach keeps a slot with this word 0: a committed record, a retired one, or a damaged one, which its owner must
    /// learn of. Word 1 is complete before word 0 leaves in flight, and changes only after word 0 is 0: two words that disagree
    /// are damage, and never what a kill has left.
    /// </summary>
    public static bool IsKept(ulong header) => header > SlotState.InFlight;

    /// <summary>Whether word 0, which holds the state, and its copy agree, and the payload fits the slot.</summary>
    public static bool IsSound(ulong header, ulong copy, int slotBytes) =>
        (copy & States) == Committed && Kind(copy) != 0
        && Length(copy) is > 0 and var length && length <= slotBytes - Bytes
        && (header == SlotState.InFlight || (header ^ copy) is 0 or Retired);
}
