using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>
/// Turns swap on, from this process and not from the daemon: the daemon must never touch its own mount, since it would wait for
/// itself. The kernel refuses swapon(2) on a file of a FUSE mount, hence loop devices. From the file's creation to swapon
/// everything goes through descriptors, in a directory that only root may use: no name is looked up twice.
/// </summary>
internal sealed class SwapOn(SwapContext context)
{
    private const long Page = 4096;
    private const long LeastOfAPage = 8; // what the index takes of a page that is one word over and over

    /// <summary>The smallest device: the kernel wants at least ten pages.</summary>
    public const long Smallest = 16 * Page;

    /// <summary>A device larger than this times the capacity needs --force.</summary>
    public const int LikelyRatio = ControlProtocol.LikelyRatio;

    private readonly Terminal _terminal = context.Terminal;

    /// <summary>A size that may be a share of the store's capacity; or what is wrong with it.</summary>
    public delegate long SizeOf(long capacity, out string? problem);

    /// <summary>A size that is known.</summary>
    public static SizeOf Exactly(long size) => (long _, out string? problem) =>
    {
        problem = null;
        return size;
    };

    /// <summary>Carries it out; returns the exit code.</summary>
    /// <param name="wanted">Size of the device; null for what the store surely holds.</param>
    /// <param name="priority">The kernel's.</param>
    /// <param name="pool">The device, which is the pool of its file.</param>
    /// <param name="reserve">Of a pool that is made for it.</param>
    /// <param name="force">Even if it is larger than sense.</param>
    public int Run(SizeOf? wanted, int priority, string pool, long reserve, bool force)
    {
        if (!_terminal.Take(context.Client.Status(), out var status, out var exit)) return exit;
        string? problem = null;
        var size = wanted?.Invoke(status.Store.CapacityBytes, out problem);
        if (problem is not null) return _terminal.Fail(ExitCode.Usage, $"--size: {problem}");
        if (status.Processes.SwapDanger is var (what, remedy)) return _terminal.Fail(ExitCode.Failed, what, remedy);
        if (!context.TryLock(status, context.OnLine(pool), out var alone, out exit)) return exit;
        using var held = alone;
        if (!SwapFile.TryFind(context, status, out var files, out exit)) return exit;
        if (files.FirstOrDefault(file => file is { IsOurs: true, Entry: not null } && file.Pool == pool) is { } on)
            return on.Entries.Count < on.Parts.Count ? Complete(on) : _terminal.Fail(ExitCode.Failed,
                $"swap is on already: {on.Device}, file {on.Path}",
                $"turn it off first with '{context.OffLine(pool)}', or name another device");
        var made = false;
        foreach (var left in files.Where(file => file is { IsOurs: true, Entry: null }))
        {
            // After a power cut, or a run that was killed at any step: its contents are worthless.
            if (new SwapRemoval(context, status).Run(left, keepPool: left.Pool == pool) is { } stuck)
            {
                if (left.Pool.Length > 0 && left.Pool != pool)
                {
                    _terminal.Note($"what an earlier swap has left stays: {Table.Printable(left.Path)}: {stuck}");
                    continue;
                }
                return _terminal.Fail(ExitCode.Failed, $"an earlier swap file cannot be taken away: {stuck}",
                    $"remove the cause and run '{context.OnLine(pool)}' again");
            }
            _terminal.Note($"took away what an earlier swap had left: {Table.Printable(left.Path)}");
            made |= left.Pool == pool && left.PoolMade;
        }
        if (!PoolExists(pool, out var existing, out var reserved, out exit)) return exit;
        if (status.ReserveExcess is var (tooMuch, lower) && (reserved == 0 || size is null))
            return _terminal.Fail(ExitCode.Failed, $"there is no room for swap: {tooMuch}", lower);
        var others = files.Where(file => file.Entry is not null).ToList();
        if (!TrySize(size, force, status, others, out var bytes, out var sure, out exit)) return exit;

        if (reserve > 0 && existing is not null && !made)
            return _terminal.Fail(ExitCode.Failed,
                $"pool '{pool}' exists already, and --reserve is for one that is made for swap",
                $"run '{context.Tmemctl.Line("pool reserve", pool, ByteSize.Exact(reserve))}'");
        using var making = new SwapMaking(context, pool, existing ?? 0, made || existing is null, reserve);
        var path = $"{status.MountPoint.TrimEnd('/')}/{pool}/{SwapFile.Name}";
        using var interrupt = new Interrupt();
        if (StepRunner.Run(making.Steps(existing is not null, SwapFile.PlaceOf(status), path, bytes, priority), () =>
            interrupt.Requested) is { } failure) return Report(failure, pool);
        if (bytes > sure)
            _terminal.Note(
                $"of {Words.Size(bytes)} the store surely holds {Words.Size(sure)}"
                + $"{(others.Count == 0 ? "" : $" beside {Those(others)}")}: if pages do not shrink, "
                + "writes fail beyond that while the kernel thinks there is room");
        return Done(new SwapOnReport(making.Devices[0].Name, bytes, priority, making.Devices.Count, pool, making.Made, path,
            sure));
    }

    /// <summary>
    /// Turns on the parts that a "swap on" which was killed has not reached, or a "swap off" has turned off. They are attached
    /// and signed: the one turns none on before that is done for all, and the other removes nothing before all are off.
    /// </summary>
    private int Complete(SwapFile file)
    {
        // By one that is on, whichever that is.
        var known = file.Parts.Index().First(part => part.Item.Entry is not null);
        var first = known.Item.Entry!.Priority + known.Index;
        foreach (var (number, (device, _)) in file.Parts.Index().Where(part => part.Item.Entry is null))
        {
            if (context.System.SwapOn(device, SwapParts.Priority(first, number)) is { } problem)
                return _terminal.Fail(ExitCode.Failed, $"swap is on in part: could not swapon {device}: {problem}",
                    $"turn it off first with '{context.OffLine(file.Pool)}'");
        }
        _terminal.Note($"{Table.Printable(file.Words)} was on in part, and is on as it was made");
        var bytes = context.System.Swaps().Where(entry => file.Parts.Any(part => part.Device == entry.Device))
            .Sum(entry => entry.SizeBytes + Page);
        return Done(new SwapOnReport(file.Parts[0].Device, bytes, first, file.Parts.Count, file.Pool, PoolMade: false, file.Path,
            bytes));
    }

    private int Done(SwapOnReport report) => _terminal.Done(report, output =>
    {
        var last = SwapParts.Priority(report.Priority, report.Parts - 1);
        output.WriteLine($"swap is on: {SwapParts.Words(report.Device, report.Parts)}, "
            + $"{Words.Size(report.SizeBytes)}, {(report.Parts == 1 ? "priority" : "priorities")} {report.Priority}"
            + $"{(last < report.Priority ? $" to {last}" : "")}, file {Table.Printable(report.File)}");
    });

    /// <summary>
    /// The default is no more than the store holds if no page shrinks, here and on the devices that are on: a larger device
    /// promises what cannot always be kept.
    /// </summary>
    private bool TrySize(long? size, bool force, StatusReply status, List<SwapFile> others, out long bytes, out long sure,
        out int exit)
    {
        (bytes, sure) = (0, 0);
        if (!_terminal.Take(context.Client.Pools(), out var list, out exit)) return false;
        sure = Wall.Sure(status, list.Pools, others);
        bytes = (size ?? sure) / Page * Page;
        var all = bytes + others.Sum(other => other.Entry!.SizeBytes);
        var capacity = Words.Size(status.Store.CapacityBytes);
        if (bytes / Page > status.Store.CapacityBytes / LeastOfAPage)
            exit = _terminal.Fail(ExitCode.Failed,
                $"--size {Words.Size(bytes)}: a store of {capacity} could not hold so much even if every page were one word",
                Advice(sure));
        else if (all / LikelyRatio > status.Store.CapacityBytes && !force)
            exit = _terminal.Fail(ExitCode.Failed,
                $"--size {Words.Size(bytes)}"
                + $"{(others.Count == 0 ? " is" : $" makes {Words.Size(all)} with {Those(others)}, which is")} more than "
                + $"{LikelyRatio} times the store's capacity of {capacity}: long before swap is full, the store would be, and "
                + "writes fail",
                $"{Advice(sure)}, or --force if your pages are known to shrink so well");
        else if (bytes < Smallest)
            exit = _terminal.Fail(ExitCode.Failed,
                $"the store has no room left for swap: {Words.Size(status.Store.UsedBytes)} of {capacity} are used"
                + (others.Count == 0 ? "" : $", and {Those(others)} may fill the rest"),
                others.Count == 0 ? "remove files from it, or give it more --capacity"
                    : "give --size if your pages are known to shrink, make the other device smaller, or the store larger");
        else return true;
        return false;
    }

    private static string Advice(long sure) => sure < Smallest ? "give less"
        : $"give at most {Typed(sure)}, which it surely holds";

    /// <summary>"the 2.0 GiB of swap 'fast' (/dev/loop4)"; of several, their number.</summary>
    private static string Those(List<SwapFile> others) => $"the {Words.Size(others.Sum(one => one.Entry!.SizeBytes))} of "
        + (others is [var one] ? one.Words : $"{others.Count} other devices");

    /// <summary>A size as it is typed, rounded down to what people give.</summary>
    private static string Typed(long bytes) => ByteSize.Exact(bytes >> 20 << 20 is > 0 and var mebibytes ? mebibytes : bytes);

    private bool PoolExists(string pool, out uint? id, out long reserved, out int exit)
    {
        (id, reserved) = (null, 0);
        exit = ExitCode.Done;
        var reply = context.Client.ShowPool(pool);
        if (reply.Error is { Code: ControlErrorCode.NotFound }) return true;
        if (!_terminal.Take(reply, out var found, out exit)) return false;
        (id, reserved) = (found.Id, found.ReserveBytes);
        if (found.Kind == "persistent") return true;
        exit = _terminal.Fail(ExitCode.Failed, $"pool '{pool}' is {found.Kind}: its pages may vanish, so nothing can swap to it",
            "name another device");
        return false;
    }

    private int Report(StepFailure failure, string pool) => _terminal.Fail(ExitCode.Failed,
        $"swap on failed: could not {failure.Step}: {failure.Reason}",
        failure.NotUndone.Count == 0
            ? "the steps before it were undone"
            : $"not undone: {string.Join(", ", failure.NotUndone)}; try '{context.OffLine(pool)}'");
}
