using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;
using Tmem.Settings;

namespace Tmem.Ctl.Reload;

/// <summary>[swap] and [[swap]] against the devices that are on. One is turned on, never off: that may take long, and fail for
/// want of memory.</summary>
internal static class SwapPlan
{
    private const long Page = 4096;

    /// <summary>The differences.</summary>
    /// <param name="wanted">From the files.</param>
    /// <param name="devices">Those that are there.</param>
    /// <param name="turnOn">Turns one on; null when done.</param>
    /// <param name="context">Command lines that address the same daemon.</param>
    public static IEnumerable<Change> Of(IReadOnlyList<SwapSettings> wanted, IReadOnlyList<SwapFile> devices,
        Func<SwapSettings, Obstacle?> turnOn, SwapContext context)
    {
        var on = devices.Where(file => file is { IsOurs: true, Entry: not null }).ToList();
        return wanted.SelectMany(swap => Of(swap, Find(swap, wanted, on), () => turnOn(swap), context));
    }

    /// <summary>The device that is meant. That of [swap] may have been turned on when another pool was written there.</summary>
    private static SwapFile? Find(SwapSettings swap, IReadOnlyList<SwapSettings> wanted, List<SwapFile> on) =>
        on.Find(file => file.Pool == swap.Pool.Value)
        ?? (swap.IsNamed || on.FindAll(file => wanted.All(other => other.Pool.Value != file.Pool)) is not [var only] ? null
            : only);

    private static IEnumerable<Change> Of(SwapSettings wanted, SwapFile? device, Func<Obstacle?> turnOn, SwapContext context)
    {
        var name = wanted.IsNamed ? $"swap '{wanted.Pool.Value}'" : "swap";
        if (device?.Entry is not { } on)
        {
            if (wanted.On.Value)
                yield return new(Outcome.Apply,
                    $"{name}: off to on, {(wanted.Size.Value is { } all ? Words.Size(all) : "auto")}, "
                    + $"priority {wanted.Priority.Value}, pool '{wanted.Pool.Value}'", wanted.On.From, Do: turnOn,
                    Turn: Turn.TakesRoom);
            yield break;
        }
        if (!wanted.On.Value)
        {
            if (wanted.On.From != Origin.Default)
                yield return Later("on: true to false", wanted.On.From, $"'{context.OffLine(device.Pool)}' turns it off");
            yield break;
        }
        const string again = "takes effect when swap is turned on the next time";
        // The kernel keeps the first page of each part for itself.
        if (wanted.Size.Value is { } size && size / Page != on.SizeBytes / Page + device.Entries.Count
            && size / Page != on.SizeBytes / Page)
            yield return Later($"size: {Words.Size(on.SizeBytes)} to {Words.Size(size)}", wanted.Size.From, again);
        if (wanted.Priority.Value != on.Priority)
            yield return Later($"priority: {on.Priority} to {wanted.Priority.Value}", wanted.Priority.From, again);
        if (wanted.Pool.Value != device.Pool)
            yield return Later($"pool: '{device.Pool}' to '{wanted.Pool.Value}'", wanted.Pool.From, again);

        Change Later(string what, Origin from, string note) => new(Outcome.Later, $"{name}: {what}", from, note);
    }
}
