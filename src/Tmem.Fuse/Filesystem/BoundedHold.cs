using System.Diagnostics;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Splits long work of the management under the namespace lock into holds of a bounded number of steps (a record visited, a walk
/// down a tree); between two holds the lock is released for a moment, so that waiters get their turn. A step takes up to two
/// microseconds in a store that is cold in the caches, so a hold takes at most two milliseconds.
/// </summary>
internal sealed class BoundedHold(NamespaceLock namespaceLock)
{
    /// <summary>Steps of one hold.</summary>
    public const int Most = 1000;

    /// <summary>Steps by which the last one may overshoot: an inode with all the attributes that it may have.</summary>
    public const int Slack = ExtendedAttributes.MaximumCount + 100;

    private int _taken;
    private int _longest;

    /// <summary>The most steps that one hold took.</summary>
    public int Longest
    {
        get { using (namespaceLock.Enter()) return _longest; }
    }

    /// <summary>Holds the namespace lock until the returned value is disposed of.</summary>
    public NamespaceLock.Hold Enter()
    {
        var held = namespaceLock.Enter();
        _taken = 0;
        return held;
    }

    public void Take(int steps = 1)
    {
        LockOrder.Holds(LockRank.Names);
        _taken += steps;
        _longest = Math.Max(_longest, _taken);
        Debug.Assert(_taken <= Most + Slack, "nobody waits for the management longer than a hold");
    }

    /// <summary>
    /// Between two holds. Leaving a lock and taking it again at once is no pause: a waiter wakes up and finds it taken.
    /// </summary>
    public static void Pause() => Thread.Sleep(1);
}
