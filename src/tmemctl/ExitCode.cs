namespace Tmem.Ctl;

/// <summary>tmemctl's exit codes; part of its interface, listed in <c>--help</c>.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Done = 0;
    /// <summary>The daemon refused, or a step failed.</summary>
    public const int Failed = 1;
    /// <summary>The command line is invalid.</summary>
    public const int Usage = 2;
    /// <summary>No daemon answers on the socket.</summary>
    public const int Unreachable = 3;
    /// <summary><c>check</c> found problems.</summary>
    public const int Problems = 4;
    /// <summary>
    /// The daemon was asked for a change and did not answer, or was asked to end and not seen to: it may or may not be done.
    /// </summary>
    public const int Unknown = 5;

    /// <summary>The list for <c>--help</c>.</summary>
    public const string Help =
        "Exit codes: 0 done; 1 refused or failed, by the daemon or in a step; 2 wrong usage; 3 daemon not reachable, nothing "
        + "was done; "
        + "4 check found problems; 5 sent, and not answered or not seen to end: it may have been done.";
}
