namespace Tmem.Ctl.Mounts;

/// <summary>Exit codes of mount(8), which passes those of its helpers on.</summary>
internal static class HelperExit
{
    public const int Done = 0;
    /// <summary>Wrong usage, or no right to it.</summary>
    public const int Usage = 1;
    /// <summary>Something of the machine is missing.</summary>
    public const int System = 2;
    /// <summary>The mount failed, or the unmount.</summary>
    public const int Failed = 32;
}
