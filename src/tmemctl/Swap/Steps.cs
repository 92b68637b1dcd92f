namespace Tmem.Ctl.Swap;

/// <summary>An action, and how to undo it.</summary>
/// <param name="Name">What it does, for the message if it fails: "attach a loop device".</param>
/// <param name="Do">Null when done, else why not. Leaves nothing behind when it fails.</param>
/// <param name="Undo">The reverse; null if there is nothing to undo.</param>
internal sealed record Step(string Name, Func<string?> Do, Func<string?>? Undo = null);

/// <summary>Why a run of steps failed.</summary>
/// <param name="Step">The step that failed.</param>
/// <param name="Reason">Why.</param>
/// <param name="NotUndone">The steps before it that could not be undone, each with its reason; usually empty.</param>
internal sealed record StepFailure(string Step, string Reason, IReadOnlyList<string> NotUndone);

/// <summary>
/// Runs steps in order; when one fails, undoes those before it in reverse order. All or nothing, as far as the kernel allows.
/// </summary>
internal static class StepRunner
{
    /// <summary>Returns null when every step is done.</summary>
    /// <param name="steps">The steps.</param>
    /// <param name="interrupted">Asked before each step; true means stop here and undo.</param>
    public static StepFailure? Run(IReadOnlyList<Step> steps, Func<bool>? interrupted = null)
    {
        for (var at = 0; at < steps.Count; at++)
        {
            var reason = interrupted?.Invoke() == true ? "interrupted" : Try(steps[at].Do);
            if (reason is not null) return new StepFailure(steps[at].Name, reason, Undo(steps, at));
        }
        return null;
    }

    private static List<string> Undo(IReadOnlyList<Step> steps, int failed)
    {
        var left = new List<string>();
        for (var at = failed - 1; at >= 0; at--)
        {
            if (steps[at].Undo is { } undo && Try(undo) is { } reason) left.Add($"{steps[at].Name} ({reason})");
        }
        return left;
    }

    /// <summary>An exception here is a failed step like any other: the steps before it must still be undone.</summary>
    private static string? Try(Func<string?> action)
    {
        try
        {
            return action();
        }
        catch (Exception error)
        {
            return error.Message;
        }
    }
}
