namespace Tmem.Settings;

/// <summary>Where a value was written: a line of a file, an option of a command line, or nowhere.</summary>
/// <param name="File">The file's path; null for an option and a default.</param>
/// <param name="Line">Counted from 1; 0 for the file as a whole.</param>
/// <param name="Option">"--threads"; null unless it was given so.</param>
internal readonly record struct Origin(string? File, int Line = 0, string? Option = null)
{
    /// <summary>Of what nobody wrote.</summary>
    public static Origin Default { get; } = new(null);

    /// <summary>"/etc/tmem/tmem.toml:3", "--threads" or "default".</summary>
    public override string ToString() => Option ?? (File is null ? "default" : Line == 0 ? File : $"{File}:{Line}");
}

/// <summary>A value that holds, and where it comes from.</summary>
internal readonly record struct Setting<T>(T Value, Origin From);
