namespace Tmem.Fuse.Control;

/// <summary>
/// The calls of the management API under way, so that none touches the store beside a successor: an upgrade waits for them and
/// lets no other begin; a worker that retires closes the gate for good and waits until the last has ended.
/// </summary>
internal sealed class ControlGate
{
    private readonly object _monitor = new();
    private readonly List<(string Method, bool Always)> _calls = [];
    private string? _closed;

    /// <summary>Begins a call.</summary>
    /// <param name="method">Its name.</param>
    /// <param name="always">A short read-only call: it does not wait for a holder of the gate.</param>
    /// <returns>Null, or why it may not begin: a clause.</returns>
    public string? TryEnter(string method, bool always)
    {
        lock (_monitor)
        {
            if (_closed is not null && !(always && IsHeld)) return _closed;
            _calls.Add((method, always));
            return null;
        }
    }

    /// <summary>Ends a call.</summary>
    public void Leave(string method)
    {
        lock (_monitor)
        {
            _calls.RemoveAt(_calls.FindIndex(call => call.Method == method));
            Monitor.PulseAll(_monitor);
        }
    }

    /// <summary>
    /// Waits until no call is under way, and lets none begin, until <see cref="Release"/>; short read-only calls come and go
    /// meanwhile.
    /// </summary>
    /// <param name="why">The reason given to later calls.</param>
    /// <param name="patience">How long to wait.</param>
    /// <param name="inTheWay">When false: a call under way, or the reason of an earlier hold or close.</param>
    public bool TryHold(string why, TimeSpan patience, out string inTheWay)
    {
        lock (_monitor)
        {
            inTheWay = _closed ?? "";
            if (_closed is not null) return false;
            (_closed, IsHeld) = (why, true);
            for (var until = Environment.TickCount64 + (long)patience.TotalMilliseconds; ;)
            {
                if (_calls.Find(call => !call.Always).Method is not { } other) return true;
                inTheWay = $"'{other}' is being carried out";
                var left = until - Environment.TickCount64;
                if (left > 0 && Monitor.Wait(_monitor, (int)left)) continue;
                if (left > 0) continue;
                (_closed, IsHeld) = (null, false);
                return false;
            }
        }
    }

    public void Release()
    {
        lock (_monitor)
        {
            if (!IsHeld) return;
            (_closed, IsHeld) = (null, false);
        }
    }

    /// <summary>Lets no more calls begin, and waits until the last one has ended.</summary>
    /// <param name="why">The reason given to later calls.</param>
    public void Close(string why)
    {
        lock (_monitor)
        {
            (_closed, IsHeld) = (why, false);
            while (_calls.Count > 0) Monitor.Wait(_monitor);
        }
    }

    private bool IsHeld { get; set; }
}
