using System.Runtime.InteropServices;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>
/// Ctrl-C and SIGTERM end the run, not the process: what was made (devices, groups, daemons) is undone by the Dispose of what
/// made it. The signal kills the workload, if one runs, and the next <see cref="Check"/> throws.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;
    private volatile bool _requested;
    private volatile int _workload;

    public Interrupt() => _registrations =
    [
        .. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(
            s => PosixSignalRegistration.Create(s, Handle)),
    ];

    /// <summary>Names the process a signal is to end; 0 for none.</summary>
    public void Watch(int process)
    {
        _workload = process;
        Check();
    }

    public void Check()
    {
        if (_requested) throw new BenchmarkException("interrupted; everything made for the run has been undone.");
    }

    public void Dispose() => Array.ForEach(_registrations, r => r.Dispose());

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        _requested = true;
        var workload = _workload;
        if (workload != 0) _ = Native.kill(workload, Native.SigKill);
    }
}
