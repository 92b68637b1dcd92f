namespace Tmem.Engine.Format;

/// <summary>
/// The states in the first word of every slot, whatever it holds: 0 free, <see cref="InFlight"/> taken and not yet committed,
/// anything else committed.
/// </summary>
internal static class SlotState
{
    /// <summary>
    /// Taken and not yet committed. In a page's slot only the lowest bit counts: its owner is already in the word.
    /// </summary>
    public const ulong InFlight = 1;
}
