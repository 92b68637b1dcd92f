using Tmem.Settings.Values;

namespace Tmem.Settings.Keys;

/// <summary>When a changed value takes effect.</summary>
internal enum Effect
{
    /// <summary>The daemon is to be stopped and started.</summary>
    Restart,
    /// <summary><c>tmemctl reload</c>, while the store is in use.</summary>
    Reload,
    /// <summary>When the pool is made; a pool that is there keeps what it has.</summary>
    Making,
    /// <summary>When swap is turned on the next time.</summary>
    SwapOn,
}

/// <summary>A key: everything that is known of it, for the reader, the default file and the manual.</summary>
/// <param name="Section">"store", "swap" or "pool".</param>
/// <param name="Name">As it is written.</param>
/// <param name="Form">What its value may be.</param>
/// <param name="Default">The value of a key that nobody wrote, as it is written in TOML.</param>
/// <param name="Example">Another one.</param>
/// <param name="Effect">When a change takes effect.</param>
/// <param name="Description">A sentence or a few.</param>
/// <param name="Option">The option of tmemd that does the same, if there is one.</param>
internal sealed record SettingKey(string Section, string Name, ValueForm Form, string Default, string Example, Effect Effect,
    string Description, string? Option = null)
{
    /// <summary>The default as a value.</summary>
    public Written DefaultValue => ValueOf(Default);

    /// <summary>What a value is that is written so; for those of this list alone.</summary>
    public static Written ValueOf(string toml) => toml switch
    {
        "true" => Written.Of(true),
        "false" => Written.Of(false),
        ['"', .. var text, '"'] => Written.Of(text),
        _ => Written.Of(long.Parse(toml, System.Globalization.CultureInfo.InvariantCulture)),
    };
}
