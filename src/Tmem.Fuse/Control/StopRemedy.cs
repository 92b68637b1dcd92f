using Tmem.Control.Messages;

namespace Tmem.Fuse.Control;

/// <summary>
/// The remedy for a refused stop: for the given reason, and nothing else. A hint at swap where none is on would mislead.
/// </summary>
internal static class StopRemedy
{
    /// <summary>The reason without its remedy, and the remedy: clauses without a full stop.</summary>
    /// <param name="reason">Why it was refused; what to do stands behind a semicolon, if it is known.</param>
    /// <param name="tmemctl">Command lines that address this daemon.</param>
    public static (string Reason, string Remedy) Of(string reason, ControlCommand tmemctl) => reason.Split("; ", 2) switch
    {
        [var what, var remedy] => (what, remedy),
        _ => (reason, For(reason, tmemctl) + ", and stop again"),
    };

    private static string For(string reason, ControlCommand tmemctl)
    {
        var swapOff = tmemctl.Line("swap off --all");
        if (reason.Contains("swap is ", StringComparison.OrdinalIgnoreCase)) return $"turn swap off with '{swapOff}'";
        if (reason.Contains("loop device", StringComparison.OrdinalIgnoreCase))
            return $"detach the loop device (losetup --detach), after '{swapOff}' if swap is on it";
        return reason.Contains("busy", StringComparison.OrdinalIgnoreCase) ? "end what uses files below the mount"
            : "remove the cause";
    }
}
