namespace Tmem.Manuals.Tests.Programs;

/// <summary>What a shell can offer for a value.</summary>
internal enum ValueKind
{
    /// <summary>There is no value.</summary>
    None,
    /// <summary>Nothing that a shell could know.</summary>
    Free,
    File,
    Folder,
    User,
    Group,
    /// <summary>A pool that is there.</summary>
    Pool,
    /// <summary>A swap device that is on, by its pool.</summary>
    Device,
    /// <summary>One of the words that the program accepts.</summary>
    Word,
    /// <summary>A command of the program, and those below it.</summary>
    Command,
}

/// <summary>An option or an argument, as manuals and completions need it.</summary>
/// <param name="Names">Of an option, the longest first; of an argument, what the help calls it.</param>
/// <param name="Value">What the help calls an option's value; empty without one.</param>
/// <param name="Description">As the help has it, with the default.</param>
/// <param name="Kind">What its value is.</param>
/// <param name="Words">All values, if they are few words.</param>
/// <param name="IsMany">An argument that may stand any number of times.</param>
/// <param name="IsForAll">An option that goes with the commands below, too.</param>
/// <param name="IsNeeded">An argument that cannot be left out.</param>
internal sealed record DescribedValue(IReadOnlyList<string> Names, string Value, string Description, ValueKind Kind,
    IReadOnlyList<string> Words, bool IsMany = false, bool IsForAll = false, bool IsNeeded = false)
{
    public string Name => Names[0];
}

/// <summary>A command with all that stands below it.</summary>
/// <param name="Path">As it is typed: "tmemctl pool create".</param>
/// <param name="Description">As the help has it.</param>
/// <param name="Arguments">In the order in which they are typed.</param>
/// <param name="Options">Those that stand at it.</param>
/// <param name="Commands">Those below it.</param>
internal sealed record DescribedCommand(string Path, string Description, IReadOnlyList<DescribedValue> Arguments,
    IReadOnlyList<DescribedValue> Options, IReadOnlyList<DescribedCommand> Commands)
{
    public string Name => Path[(Path.LastIndexOf(' ') + 1)..];

    /// <summary>This one and all below it, in the order of the help.</summary>
    public IEnumerable<DescribedCommand> All => Commands.SelectMany(command => command.All).Prepend(this);
}
