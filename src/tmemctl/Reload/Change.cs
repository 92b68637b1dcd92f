using Tmem.Settings;

namespace Tmem.Ctl.Reload;

/// <summary>What becomes of a setting that differs from what runs.</summary>
internal enum Outcome
{
    /// <summary>It is applied while the store is in use.</summary>
    Apply,
    /// <summary>It needs more than a reload.</summary>
    Later,
    /// <summary>It can never be: nothing at all is applied.</summary>
    Refuse,
}

/// <summary>
/// When a change is applied: each on its own may be impossible where all of them are possible. Within a turn, in their order.
/// </summary>
internal enum Turn
{
    /// <summary>First: another change may need the room, or a mount that is writable.</summary>
    GivesRoom,
    /// <summary>In between.</summary>
    Usual,
    /// <summary>After what has to make room.</summary>
    TakesRoom,
    /// <summary>After everything that writes to the mount.</summary>
    Last,
}

/// <summary>One setting that differs from what runs.</summary>
/// <param name="Outcome">What becomes of it.</param>
/// <param name="What">The setting and both values: "threads: 4 to 8".</param>
/// <param name="From">Where the wanted value is written.</param>
/// <param name="Note">What is needed for it, or why it cannot be; empty for one that is applied.</param>
/// <param name="Do">Applies it; null when done, else the obstacle. Several changes may be one step: the same delegate.</param>
/// <param name="Remedy">What to do about one that is refused; else empty.</param>
/// <param name="Turn">When it is applied.</param>
internal sealed record Change(Outcome Outcome, string What, Origin From, string Note = "", Func<Obstacle?>? Do = null,
    string Remedy = "", Turn Turn = Turn.Usual);
