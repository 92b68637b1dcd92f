namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Work of the management under the namespace lock, in pieces: so many steps (a record looked at, a walk down a tree), then the
/// lock is let go for a moment, and whoever waits for it has its turn. A step is up to two microseconds in a store that is cold
/// in the caches, so a hold is at most two milliseconds. Used by who holds the lock, but for <see cref="Pause"/>.
/// </summary>
internal sealed class BoundedHold
{
    /// <summary>Steps of one hold.</summary>
    public const int Most = 1000;

    /// <summary>
    /// What a single step may add at its end: an inode with all the attributes it may have.
    /// </summary>
    public const int Slack = ExtendedAttributes.MaximumCount + 100;

    private int _taken;

    /// <summary>The most steps that a hold took.</summary>
    public int Longest { get; private set; }

    public bool IsSpent => _taken >= Most;

    public void Begin() => _taken = 0;

    public void Take(int steps = 1)
    {
        _taken += steps;
        Longest = Math.Max(Longest, _taken);
    }

    /// <summary>
    /// Between two holds. To leave a lock and take it again at once is no pause: who waits for it is woken and finds it taken.
    /// </summary>
    public static void Pause() => Thread.Sleep(1);
}
