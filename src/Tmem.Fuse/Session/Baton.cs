namespace Tmem.Fuse.Session;

/// <summary>
/// Leadership of a session: at most one thread holds it. Followers sleep in the monitor's queue and are woken one at a time. A
/// plain monitor, without the spinning of SemaphoreSlim: a spinning follower takes the core from the client that it waits for.
/// </summary>
internal sealed class Baton
{
    private readonly object _monitor = new();
    private bool _held;
    private bool _ended;

    /// <summary>Waits for leadership. False once the session has ended.</summary>
    public bool Take()
    {
        lock (_monitor)
        {
            while (_held && !_ended) Monitor.Wait(_monitor);
            if (_ended) return false;
            _held = true;
            return true;
        }
    }

    /// <summary>Gives leadership up and wakes a sleeping follower, if there is one.</summary>
    public void Pass()
    {
        lock (_monitor)
        {
            _held = false;
            Monitor.Pulse(_monitor);
        }
    }

    /// <summary>Ends the session: every thread returns from <see cref="Take"/> with false.</summary>
    public void End()
    {
        lock (_monitor)
        {
            _ended = true;
            Monitor.PulseAll(_monitor);
        }
    }
}
