namespace Tmem.Ctl.Tests;

/// <summary>
/// How many changes a run of tmemctl still makes before it is killed: after that it goes on in the test's process, and changes
/// nothing more.
/// </summary>
internal sealed class Lifetime
{
    private int _changes;

    /// <summary>Changes made so far.</summary>
    public int Changes => Volatile.Read(ref _changes);

    public int Most { get; set; } = int.MaxValue;

    public bool IsOver { get; private set; }

    /// <summary>Begins another life.</summary>
    public void Begin(int most = int.MaxValue)
    {
        (Most, IsOver) = (most, false);
        Volatile.Write(ref _changes, 0);
    }

    public bool TryChange()
    {
        if (IsOver || Interlocked.Increment(ref _changes) > Most) IsOver = true;
        return !IsOver;
    }
}
