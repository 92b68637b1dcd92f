using System.Diagnostics;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Work of the management under the namespace lock, in pieces: so many steps (a record looked at, a walk down a tree), then the
/// lock is let go for a moment, and whoever waits for it has its turn. A step is up to two microseconds in a store that is cold
/// in the caches, so a hold is at most two milliseconds.
/// </summary>
internal sealed class BoundedHold(NamespaceLock namespaceLock)
{
    /// <summary>Steps of one hold.</summary>
    public const int Most = 1000;

    /// <summary>
    /// What a single step may add at its end: an inode with all the attributes it may have.
    /// </summary>
    public const int Slack = ExtendedAttributes.MaximumCount + 100;

    private int _taken;
    private int _longest;

    /// <summary>The most steps that a hold took.</summary>
    public int Longest
    {
        get { using (namespaceLock.Enter()) return _longest; }
    }

    /// <summary>Holds the namespace lock until what is returned is disposed of.</summary>
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
    /// Between two holds. To leave a lock and take it again at once is no pause: who waits for it is woken and finds it taken.
    /// </summary>
    public static void Pause() => Thread.Sleep(1);
}
