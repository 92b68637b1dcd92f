namespace Tmem.Ctl.Mounts;

/// <summary>An option of <c>mount -t tmem -o</c>.</summary>
/// <param name="Names">Its name; several if they mean the same here.</param>
/// <param name="Argument">What stands behind "=": "SIZE"; in brackets if it may be left out; null if nothing may.</param>
/// <param name="Description">For the manual: what it does, and the default.</param>
/// <param name="Apply">Enters it into the wish; returns what is wrong with the value, a clause about it, or null.</param>
internal sealed record MountOption(IReadOnlyList<string> Names, string? Argument, string Description,
    Func<MountWish, string, string?> Apply)
{
    public MountOption(string name, string? argument, string description, Func<MountWish, string, string?> apply)
        : this([name], argument, description, apply) { }
}
