using System.Runtime.InteropServices;

namespace Tmem.Ctl.Native;

/// <summary>
/// Turns what ends a command (SIGINT, SIGTERM, SIGQUIT, and SIGHUP from a terminal that is gone) into a request, so that what was
/// begun is undone instead of left half done. One that the caller has had ignored stays ignored.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Action? _clean;
    private readonly bool _mayInsist;
    private volatile bool _requested;

    /// <param name="mayInsist">Whether a second signal ends the command at once.</param>
    public Interrupt(bool mayInsist = false) : this(null, mayInsist) { }

    /// <param name="clean">Done at the first signal, on another thread; then the signal ends the process.</param>
    public Interrupt(Action clean) : this(clean, mayInsist: true) { }

    private Interrupt(Action? clean, bool mayInsist)
    {
        (_clean, _mayInsist) = (clean, mayInsist);
        _registrations =
            [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGQUIT, PosixSignal.SIGHUP }.Select(Register)];
    }

    public bool Requested => _requested;

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
    }

    private PosixSignalRegistration Register(PosixSignal signal) => PosixSignalRegistration.Create(signal, received =>
    {
        var isFirst = !_requested;
        _requested = true;
        if (isFirst) _clean?.Invoke();
        received.Cancel = _clean is null && (isFirst || !_mayInsist);
    });
}
