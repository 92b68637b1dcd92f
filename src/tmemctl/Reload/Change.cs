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

/// <summary>One setting that differs from what runs.</summary>
/// <param name="Outcome">What becomes of it.</param>
/// <param name="What">The setting and both values: "threads: 4 to 8".</param>
/// <param name="From">Where the wanted value is written.</param>
/// <param name="Note">What is needed for it, or why it cannot be; empty for one that is applied.</param>
/// <param name="Do">Applies it; null when done, else why not. Several changes may be one step: the same delegate.</param>
/// <param name="Remedy">What to do about one that is refused; else empty.</param>
internal sealed record Change(Outcome Outcome, string What, Origin From, string Note = "", Func<string?>? Do = null,
    string Remedy = "");
