using Tmem.Control;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Reload;

/// <summary>Why a change was not applied, or is not known to be.</summary>
/// <param name="Why">A clause.</param>
/// <param name="Exit">The exit code.</param>
/// <param name="Remedy">What to do about it.</param>
internal sealed record Obstacle(string Why, int Exit = ExitCode.Failed, string Remedy = "correct it and reload again")
{
    // It goes by itself.
    private const string Again = "run it again";

    /// <summary>Of a step of this program; null if it is done.</summary>
    public static Obstacle? Of(string? problem) => problem is null ? null : new(problem);

    /// <summary>Of a step that has said itself why it failed.</summary>
    public static Obstacle? Of(int exit, string what) => exit == ExitCode.Done ? null
        : exit is ExitCode.Unknown or ExitCode.Unreachable ? new(what, ExitCode.Unknown, Again)
        : new(what, exit, "do what the line above says, and reload again");

    /// <summary>Of the daemon; null if it did what it was asked for.</summary>
    public static Obstacle? Of<T>(Reply<T> reply) where T : class => reply switch
    {
        { Value: not null } => null,
        { Error: { } error } => error.Code is ControlErrorCode.Busy or ControlErrorCode.NotBegun
            ? new(reply.Problem!, Remedy: Again) : new(reply.Problem!),
        // It answered before, and may have done the changes before this one.
        _ => new(reply.Problem!, ExitCode.Unknown, Again),
    };
}
