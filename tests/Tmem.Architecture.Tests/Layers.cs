namespace Tmem.Architecture.Tests;

/// <summary>
/// The allowed arrows: from a folder to those it may know. A folder that is missing here is an error, and so is an arrow that
/// nothing uses any more; a new one is a decision that shows in the diff. The tests look at the built assembly, where a constant
/// of another folder is a number and no arrow.
/// </summary>
internal static class Layers
{
    /// <summary>
    /// The words of the public surface (ids, options, status, figures), which everybody speaks and which know nobody.
    /// </summary>
    public const string Words = "(words)";

    /// <summary>The facade: the engine, its clients, and the opener, which put everything together.</summary>
    public const string Facade = "(facade)";

    /// <summary>Types of the namespace Tmem.Engine that are not words.</summary>
    public static readonly string[] EngineFacade =
        ["TmemEngine", "TmemClient", "CallGate", "LongCall", "EngineMeter", "EngineOptions", "RegionOpener", "RegionTakeover"];

    public static readonly Dictionary<string, string[]> Engine = new()
    {
        ["Native"] = [],
        ["Format"] = [],
        ["Codec"] = [],
        ["Region"] = ["Native", "Format"],
        ["Index"] = ["Format", "Region"],
        ["Pam"] = ["Format", "Codec", "Region", "Index"],
        ["Pools"] = ["Format", "Codec", "Region", "Pam"],
        ["Operations"] = ["Format", "Region", "Index", "Pam", "Pools"],
        ["Records"] = ["Format", "Region", "Index", "Pools"],
        ["Reclaim"] = ["Format", "Region", "Index", "Pam", "Pools", "Operations"],
        ["Transfer"] = ["Format", "Index", "Pam", "Pools", "Operations"],
        ["Recompress"] = ["Native", "Format", "Codec", "Region", "Index", "Pam", "Pools", "Operations", "Reclaim"],
        ["Attach"] = ["Format", "Region", "Index", "Pam", "Pools", "Operations"],
        ["Durability"] = ["Native", "Format", "Region"],
        ["Diagnostics"] = ["Format", "Region", "Index", "Pam", "Pools", "Operations"],
        [Facade] =
        [
            "Native", "Format", "Codec", "Region", "Index", "Pam", "Pools", "Operations", "Records", "Reclaim", "Transfer",
            "Recompress", "Attach", "Durability", "Diagnostics",
        ],
    };

    public static readonly Dictionary<string, string[]> Fuse = new()
    {
        ["Native"] = [],
        ["Abi"] = [],
        ["Protocol"] = ["Native", "Abi"],
        ["Session"] = ["Native", "Abi", "Protocol"],
        ["Filesystem"] = ["Native", "Abi", "Protocol"],
        ["Keeper"] = ["Native"],
        ["Mount"] = ["Native", "Session"],
        ["Control"] = ["Native", "Filesystem"],
        ["Daemon"] = ["Native", "Protocol", "Session", "Filesystem", "Keeper", "Mount", "Control"],
    };

    public static readonly string[] ControlFacade = ["ControlClient", "Reply"];

    public static readonly Dictionary<string, string[]> Control = new()
    {
        ["Messages"] = [],
        ["Host"] = ["Messages"],
        ["CommandLine"] = ["Messages"],
        [Facade] = ["Host", "Messages"],
    };

    public static readonly string[] SettingsFacade =
        ["SettingsReader", "MergedEntries", "TypedSettings", "Contradictions", "NotYet", "OptionEntries"];

    public static readonly Dictionary<string, string[]> Settings = new()
    {
        ["Values"] = [],
        ["Keys"] = ["Values"],
        ["Files"] = ["Values"],
        [Facade] = ["Values", "Keys", "Files"],
    };

    public static readonly string[] CtlFacade = ["CommandTree"];

    public static readonly Dictionary<string, string[]> Ctl = new()
    {
        ["Native"] = [],
        ["Output"] = ["Native"],
        ["Swap"] = ["Native", "Output"],
        ["Recover"] = ["Native", "Output", "Swap"],
        ["Metrics"] = ["Swap"],
        ["Top"] = ["Output", "Metrics"],
        ["Reload"] = ["Native", "Output", "Swap"],
        ["Transfer"] = ["Native"],
        ["Commands"] = ["Native", "Output", "Swap", "Recover", "Metrics", "Top", "Reload", "Transfer"],
        ["Mounts"] = ["Native", "Commands"],
        [Facade] = ["Output", "Swap", "Recover", "Commands", "Mounts"],
    };
}
