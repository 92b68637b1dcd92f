namespace Tmem.Engine.Format;

/// <summary>
/// What the first word of every slot says, whatever the slot holds: 0 free, <see cref="InFlight"/> taken and not yet committed,
/// anything else committed.
/// </summary>
internal static class SlotState
{
    /// <summary>
    /// Taken and not yet committed. Of a page's slot only the lowest bit counts: its owner is in the word already.
    /// </summary>
    public const ulong InFlight = 1;
}
