namespace Tmem.Fuse.Native;

/// <summary>
/// Tells threads that sleep in poll(2) to stop, once and for good: an eventfd, with a flag beside it for threads that are awake.
/// </summary>
internal sealed class StopEvent : IDisposable
{
    private volatile bool _set;

    /// <exception cref="StartupException">The system is out of descriptors.</exception>
    public StopEvent()
    {
        Descriptor = NativeProcess.eventfd(0, NativeProcess.EFD_CLOEXEC);
        if (Descriptor < 0)
            throw new StartupException($"eventfd failed: {Libc.Describe(Libc.LastError)}. Raise the limit on open files.");
    }

    /// <summary>Readable once set.</summary>
    public int Descriptor { get; }

    public bool IsSet => _set;

    public unsafe void Set()
    {
        _set = true;
        var one = 1UL;
        _ = Libc.write(Descriptor, &one, sizeof(ulong));
    }

    /// <inheritdoc/>
    public void Dispose() => _ = Libc.close(Descriptor);
}
