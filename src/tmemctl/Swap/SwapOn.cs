using System.Runtime.InteropServices;
using Tmem.Ctl.Output;
using Tmem.Fuse.Control.Messages;

namespace Tmem.Ctl.Swap;

/// <summary>
/// Turns swap on, from here and not from the daemon: the daemon must never touch its own mount, since it would wait for itself.
/// swapon(2) on a file of a FUSE mount is refused by the kernel, hence the loop device.
/// </summary>
internal sealed class SwapOn(CommandContext context)
{
    private const long Page = 4096;
    private const long Smallest = 16 * Page; // mkswap wants at least ten pages
    private const int LargestRequestKib = 1024; // FUSE splits at 1 MiB; larger requests would be served as one and a quarter

    private readonly Terminal _terminal = context.Terminal;

    /// <summary>Carries it out; returns the exit code.</summary>
    public int Run(long? size, int priority, string pool)
    {
        if (!_terminal.Take(context.Client.Call(ControlMethod.Status, ControlReplyJson.Default.StatusReply), out var status, out var exit)) return exit;
        if (status.Processes.SwapDanger is var (what, remedy)) return _terminal.Fail(ExitCode.Failed, what, remedy);
        if (SwapFile.Find(context.System, status.MountPoint) is [var old, ..]) return RefuseSecond(old);
        var bytes = (size ?? DefaultSize(status.Store.CapacityBytes)) / Page * Page;
        if (bytes < Smallest)
            return _terminal.Fail(ExitCode.Usage, $"--size {Words.Size(size ?? 0)} is too small for a swap device", $"give at least {Words.Size(Smallest)}");
        if (!PoolExists(pool, out var exists, out exit)) return exit;

        var device = "";
        var file = $"{status.MountPoint.TrimEnd('/')}/{pool}/{SwapFile.Name}";
        var steps = Steps(pool, exists, file, bytes, priority, () => device, value => device = value);
        using var interrupt = new Interrupt();
        if (StepRunner.Run(steps, () => interrupt.Requested) is { } failure) return Report(failure);
        var report = new SwapOnReport(device, bytes, priority, pool, !exists, file);
        return _terminal.Done(report, CtlJson.Default.SwapOnReport, output =>
            output.WriteLine($"swap is on: {device}, {Words.Size(bytes)}, priority {priority}, file {Table.Printable(file)}"));
    }

    private List<Step> Steps(string pool, bool exists, string file, long bytes, int priority, Func<string> device, Action<string> attached)
    {
        var system = context.System;
        List<Step> steps = [];
        if (!exists) steps.Add(new Step($"create pool '{pool}'", () => CreatePool(pool), () => DestroyPool(pool)));
        steps.Add(new Step($"create file {file} of {Words.Size(bytes)}", () => system.CreateFile(file, bytes), () => system.RemoveFile(file)));
        steps.Add(new Step($"mark file {file}", () => system.SetMark(file, exists ? SwapFile.PoolKept : SwapFile.PoolMade)));
        steps.Add(new Step($"attach a loop device to {file}", () =>
        {
            var problem = system.AttachLoop(file, out var name);
            attached(name);
            return problem;
        }, () => system.DetachLoop(device())));
        steps.Add(new Step("use direct I/O on the loop device", () => system.RequireDirectIo(device())));
        steps.Add(new Step($"cap the loop device's requests at {LargestRequestKib} KiB", () => system.CapRequests(device(), LargestRequestKib)));
        steps.Add(new Step("mkswap on the loop device", () => system.MakeSwap(device())));
        steps.Add(new Step("swapon the loop device", () => system.SwapOn(device(), priority), () => system.SwapOff(device())));
        return steps;
    }

    /// <summary>Twice the capacity: pages compress to less than half on the average, and a hole in the swap file costs nothing.</summary>
    private static long DefaultSize(long capacity) => capacity > long.MaxValue / 2 ? long.MaxValue : capacity * 2;

    private int RefuseSecond(SwapFile old) => old.Entry is { } entry
        ? _terminal.Fail(ExitCode.Failed, $"swap is on already: {entry.Device}, file {old.Path}", "turn it off first with 'tmemctl swap off'")
        : _terminal.Fail(ExitCode.Failed, $"an earlier swap was not undone: {old.Device ?? "no loop device"}, file {old.Path}", "clean up first with 'tmemctl swap off'");

    private bool PoolExists(string pool, out bool exists, out int exit)
    {
        exists = false;
        exit = ExitCode.Done;
        var reply = context.Client.Call(ControlMethod.PoolShow, new PoolNameParameters { Name = pool },
            ControlJson.Default.PoolNameParameters, ControlReplyJson.Default.PoolReply);
        if (reply.Error is { Code: ControlErrorCode.NotFound }) return true;
        if (!_terminal.Take(reply, out var found, out exit)) return false;
        exists = true;
        if (found.Kind == "persistent") return true;
        exit = _terminal.Fail(ExitCode.Failed, $"pool '{pool}' is {found.Kind}: its pages may vanish, so nothing can swap to it", "name a persistent pool with --pool");
        return false;
    }

    private string? CreatePool(string pool) => Problem(context.Client.Call(ControlMethod.PoolCreate, new PoolCreateParameters { Name = pool },
        ControlJson.Default.PoolCreateParameters, ControlReplyJson.Default.PoolReply));

    private string? DestroyPool(string pool) => Problem(context.Client.Call(ControlMethod.PoolDestroy, new PoolDestroyParameters { Name = pool },
        ControlJson.Default.PoolDestroyParameters, ControlReplyJson.Default.PoolDestroyReply));

    private static string? Problem<T>(Reply<T> reply) where T : class => reply.Value is not null ? null : reply.Error?.Message ?? reply.Unreachable;

    private int Report(StepFailure failure) => _terminal.Fail(ExitCode.Failed,
        $"swap on failed at the step '{failure.Step}': {failure.Reason}",
        failure.NotUndone.Count == 0
            ? "the steps before it were undone"
            : $"not undone: {string.Join(", ", failure.NotUndone)}; try 'tmemctl swap off'");

    /// <summary>Turns SIGINT and SIGTERM into a request, so that a break between two steps is undone instead of left half done.</summary>
    private sealed class Interrupt : IDisposable
    {
        private readonly PosixSignalRegistration[] _registrations;
        private volatile bool _requested;

        public Interrupt() => _registrations = [Register(PosixSignal.SIGINT), Register(PosixSignal.SIGTERM)];

        public bool Requested => _requested;

        public void Dispose()
        {
            foreach (var registration in _registrations) registration.Dispose();
        }

        private PosixSignalRegistration Register(PosixSignal signal) => PosixSignalRegistration.Create(signal, received =>
        {
            received.Cancel = true;
            _requested = true;
        });
    }
}
