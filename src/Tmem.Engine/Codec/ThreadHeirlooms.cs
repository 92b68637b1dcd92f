namespace Tmem.Engine.Codec;

/// <summary>
/// What every thread has one of, in native memory, and leaves to a thread that comes after it. So there are never more than
/// threads at one time, where finalizers alone would free them whenever the collector next has a reason to look: a program of
/// short threads has none for hours.
/// </summary>
/// <typeparam name="T">What a thread has. Its finalizer frees it when a larger one has taken its place, or with the
/// process.</typeparam>
internal sealed class ThreadHeirlooms<T> where T : class
{
    private readonly Lock _change = new();
    private readonly List<(Thread Owner, T Thing)> _all = [];

    /// <summary>How many there are, those of ended threads among them.</summary>
    public int Count { get { lock (_change) return _all.Count; } }

    /// <summary>Adds up something of all of them.</summary>
    public long Sum(Func<T, long> what)
    {
        lock (_change) return _all.Sum(one => what(one.Thing));
    }

    /// <summary>
    /// The calling thread's: the one it has if that serves, one of a thread that has ended, or a new one. For a thread's first
    /// call.
    /// </summary>
    /// <param name="serves">Whether one is large enough.</param>
    /// <param name="make">Makes one that is.</param>
    public T Mine(Func<T, bool> serves, Func<T> make)
    {
        var thread = Thread.CurrentThread;
        lock (_change)
        {
            var place = _all.FindIndex(one => one.Owner == thread);
            if (place < 0) place = _all.FindIndex(one => !one.Owner.IsAlive && serves(one.Thing));
            if (place < 0) place = _all.FindIndex(one => !one.Owner.IsAlive);
            var thing = place >= 0 && serves(_all[place].Thing) ? _all[place].Thing : make();
            if (place >= 0) _all[place] = (thread, thing);
            else _all.Add((thread, thing));
            return thing;
        }
    }
}
