using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>Shows the swap devices on the store, with the figures of their pages.</summary>
internal sealed class SwapStatus(SwapContext context)
{
    private readonly Terminal _terminal = context.Terminal;

    /// <summary>Carries it out; returns the exit code. Swap being off is an answer, not a failure.</summary>
    public int Run()
    {
        if (!_terminal.Take(context.Client.Status(), out var status, out var exit)) return exit;
        if (!TryReport(status, wantsLeftovers: true, out var report, out exit)) return exit;
        return _terminal.Done(report, output => Write(output, report, status.MountPoint, context));
    }

    /// <summary>The swap devices on the store, and the leftovers of earlier ones, for which pools are looked into.</summary>
    public bool TryReport(StatusReply status, bool wantsLeftovers, out SwapStatusReport report, out int exit)
    {
        report = SwapStatusReport.Off;
        if (!_terminal.Take(context.Client.Pools(), out var list, out exit)) return false;
        var devices = new List<SwapDeviceReport>();
        var leftovers = new List<SwapLeftover>();
        var place = SwapFile.PlaceOf(status);
        var found = wantsLeftovers ? SwapFile.Find(context.System, place, list.Pools)
            : SwapFile.Devices(context.System, place, list.Pools);
        foreach (var file in found)
        {
            if (file.Entry is not { } entry)
            {
                leftovers.Add(new SwapLeftover(file.Path, file.Parts is [var first, ..] ? first.Device : null, file.Pool));
                continue;
            }
            var reply = context.Client.ShowPool(file.Pool);
            // A file whose pool is unknown is swapped to all the same; the whole store's figures are the nearest.
            var figures = reply.Value?.Figures ?? status.Total;
            var others = found.Where(other => other != file && other.Entry is not null).ToList();
            devices.Add(Device(file, entry, figures,
                Wall.Of(status, list.Pools, figures, reply.Value?.ReserveBytes ?? 0, others)));
        }
        report = new SwapStatusReport(devices.Count > 0, devices, leftovers);
        return true;
    }

    /// <summary>How much more a device can take, in words.</summary>
    public static string Room(SwapDeviceReport device) => new Wall(device.RoomBytesAtWorst, device.RoomBytes)
        .Describe(device.SizeBytes - device.UsedBytes);

    private static SwapDeviceReport Device(SwapFile file, SwapEntry entry, PoolFigures figures, Wall wall) => new()
    {
        Device = entry.Device,
        Parts = [.. file.Entries.Select(part =>
            new SwapPartReport(part.Device, part.SizeBytes, part.UsedBytes, part.Priority))],
        SizeBytes = entry.SizeBytes,
        UsedBytes = entry.UsedBytes,
        Priority = entry.Priority,
        Pool = file.Pool,
        File = file.Path,
        Pages = figures.Pages,
        OriginalBytes = figures.OriginalBytes,
        CompressedBytes = figures.CompressedBytes,
        MemoryBytes = figures.SlotBytes + figures.IndexBytes + figures.RecordBytes,
        Ratio = figures.CompressedBytes > 0 ? Math.Round((double)figures.OriginalBytes / figures.CompressedBytes, 2) : null,
        RoomBytes = wall.AtPresent,
        RoomBytesAtWorst = wall.AtWorst,
        Ours = file.IsOurs,
    };

    private static void Write(TextWriter output, SwapStatusReport report, string mount, SwapContext context)
    {
        var devices = report.Devices;
        if (devices.Count == 0)
            output.WriteLine($"swap is off: nothing on {Table.Printable(mount)} is swapped to" + (report.Leftovers.Count == 0
                ? $"; '{Table.Printable(context.Tmemctl.Line("swap on"))}' turns it on" : ""));
        foreach (var left in report.Leftovers)
            output.WriteLine($"left of an earlier swap, and not in use: {Table.Printable(left.File)}"
                + (left.Device is { } loop ? $" with {loop}" : "")
                + (left.Pool.Length == 0 ? "" : $"; '{Table.Printable(context.OnLine(left.Pool))}' makes it anew")
                + $"{(left.Pool.Length == 0 ? ";" : ",")} '{Table.Printable(context.OffLine(left.Pool))}' removes it");
        if (devices.Count == 0) return;
        Table.Write(output, ["DEVICE", "SIZE>", "USED>", "PRIORITY>", "POOL", "ORIGINAL>", "COMPRESSED>", "RATIO>", "MEMORY>",
            "FILE"], devices.Select(device => (IReadOnlyList<string>)
        [
            device.Name, Words.Size(device.SizeBytes), Words.Size(device.UsedBytes), Words.Count(device.Priority), device.Pool,
                Words.Size(device.OriginalBytes),
            Words.Size(device.CompressedBytes), Words.Ratio(device.OriginalBytes, device.CompressedBytes),
                Words.Size(device.MemoryBytes), device.File,
        ]));
        foreach (var device in devices)
        {
            output.WriteLine($"{device.Name}: {Room(device)}");
            if (!device.Ours)
                output.WriteLine($"{device.Device}: not made by '{Table.Printable(context.Tmemctl.Line("swap on"))}'; "
                    + $"'swapoff {device.Device}' turns it off");
        }
    }
}
