using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;
using Tmem.Settings;

namespace Tmem.Ctl.Reload;

/// <summary>[swap] against the devices that are on. It is turned on, never off: that may take long, and fail for want of
/// memory.</summary>
internal static class SwapPlan
{
    private const long Page = 4096;

    /// <summary>The differences.</summary>
    /// <param name="wanted">From the files.</param>
    /// <param name="devices">Those that are on.</param>
    /// <param name="turnOn">Turns swap on; null when done.</param>
    /// <param name="tmemctl">Command lines that address the same daemon.</param>
    public static IEnumerable<Change> Of(SwapSettings wanted, IReadOnlyList<SwapFile> devices, Func<string?> turnOn,
        ControlCommand tmemctl)
    {
        var ours = devices.FirstOrDefault(file => file is { IsOurs: true, Entry: not null });
        if (ours?.Entry is not { } on)
        {
            if (wanted.On.Value)
                yield return new(Outcome.Apply, $"swap: off to on, {(wanted.Size.Value is { } all ? Words.Size(all) : "auto")}, "
                    + $"priority {wanted.Priority.Value}, pool '{wanted.Pool.Value}'", wanted.On.From, Do: turnOn);
            yield break;
        }
        if (!wanted.On.Value)
        {
            if (wanted.On.From != Origin.Default)
                yield return Later("on: true to false", wanted.On.From, $"'{tmemctl.Line("swap off")}' turns it off");
            yield break;
        }
        const string again = "takes effect when swap is turned on the next time";
        // The kernel keeps the first page for itself.
        if (wanted.Size.Value is { } size && size / Page != on.SizeBytes / Page + 1 && size / Page != on.SizeBytes / Page)
            yield return Later($"size: {Words.Size(on.SizeBytes)} to {Words.Size(size)}", wanted.Size.From, again);
        if (wanted.Priority.Value != on.Priority)
            yield return Later($"priority: {on.Priority} to {wanted.Priority.Value}", wanted.Priority.From, again);
        if (wanted.Pool.Value != ours.Pool)
            yield return Later($"pool: '{ours.Pool}' to '{wanted.Pool.Value}'", wanted.Pool.From, again);
    }

    private static Change Later(string what, Origin from, string note) => new(Outcome.Later, $"swap: {what}", from, note);
}
