namespace Tmem.Engine.Codec;

/// <summary>
/// Native memory of which every thread has one, inherited by a later thread when it ends. So there are never more than threads at
/// one time; finalizers alone would free them only at the next collection, which a program of short-lived threads may not have
/// for hours.
/// </summary>
/// <typeparam name="T">
/// A thread's item. Its finalizer frees it when a larger one has replaced it, or with the process.
/// </typeparam>
internal sealed class ThreadHeirlooms<T> where T : class
{
    private readonly Lock _change = new();
    private readonly List<(Thread Owner, T Thing)> _all = [];

    /// <summary>The number of items, including those of ended threads.</summary>
    public int Count { get { lock (_change) return _all.Count; } }

    /// <summary>The sum of something over all items.</summary>
    public long Sum(Func<T, long> what)
    {
        lock (_change) return _all.Sum(one => what(one.Thing));
    }

    /// <summary>
    /// The calling thread's item: its own if that serves, one of an ended thread, or a new one. For a thread's first call.
    /// </summary>
    /// <param name="serves">Whether an item is large enough.</param>
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
