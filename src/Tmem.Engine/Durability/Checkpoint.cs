using System.Diagnostics;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Durability;

/// <summary>
/// Makes a consistent state of the region durable, as live migration moves a machine: rounds that hold nobody up copy what was
/// written since the round before, until little is left; the last round runs in a standstill. The copies go to the journal; once
/// that is durable, the caller can be answered, and the pages are then written in place.
/// <para>The state: everything that latches protect stands still from the start of the last round. A few words change under no
/// latch (a file's size and times), so the round is repeated until nothing was written between two scans of the whole region.
/// Then the copy is the memory at one moment, as a killed process would have left it. A thread that writes such words without
/// pause cannot block it: after a bounded number of tries the copy counts as it is, and <see cref="WasQuiet"/> says so.</para>
/// <para>A page counts as written until it is known to be durable in its place, so that whatever failed is retried.</para>
/// </summary>
internal sealed unsafe class Checkpoint : IDisposable
{
    /// <summary>Pages few enough for the last round: copying them takes a fraction of a millisecond.</summary>
    private const int Few = 256;
    private const int MostRounds = 8;

    /// <summary>
    /// Scans in a last round. Threads that are held off reach their latch after a store or two, so the second scan finds nothing;
    /// more are needed only if a thread changes the size of a file again and again. Then all threads are released for a moment,
    /// and the round is repeated.
    /// </summary>
    private const int MostLooks = 8;

    /// <summary>
    /// Last rounds until the copy counts although it never became quiet: endless rounds would block all threads.
    /// </summary>
    private const int MostLastRounds = 8;

    private static readonly TimeSpan s_betweenLastRounds = TimeSpan.FromMilliseconds(2);

    private readonly RegionImage _image;
    private readonly RegionMemory _memory;
    private readonly Func<long> _used;
    private readonly Action<Action> _standstill;
    private readonly IChangeTracker _tracker;
    private readonly Journal _journal;
    private readonly PageSet _written;
    private readonly PageSet _copied;
    private bool _unapplied;

    /// <param name="image">The image.</param>
    /// <param name="used">How many bytes of the region, from its start, have ever been used.</param>
    /// <param name="standstill">Runs an action while nothing changes but single words.</param>
    public Checkpoint(RegionImage image, Func<long> used, Action<Action> standstill)
    {
        _image = image;
        _memory = image.Memory;
        _used = used;
        _standstill = standstill;
        _tracker = image.Tracker;
        _journal = image.Journal;
        _written = new PageSet(_memory.Length);
        _copied = new PageSet(_memory.Length);
        TakePending();
    }

    /// <summary>Pages of the last round, and how long its standstill took.</summary>
    public int PagesHeld { get; private set; }
    public TimeSpan Held { get; private set; }

    /// <summary>
    /// Whether the copy is the memory at one moment. If not, a few words that no latch protects (files' sizes and times) are each
    /// as they were at some moment of the last round.
    /// </summary>
    public bool WasQuiet { get; private set; }

    /// <summary>Bytes of pages not known to be durable.</summary>
    public long BytesBehind => (_written.Count + _copied.Count) * RegionLayout.PageSize;

    /// <summary>Rounds before the last one, and pages written to the journal.</summary>
    public int Rounds { get; private set; }
    public long Pages { get; private set; }

    /// <summary>For tests: called between the rounds and in the last one, and before the image is changed.</summary>
    internal Action<CheckpointStep>? OnStep { get; set; }

    /// <summary>Makes the region's present state durable. Returns an errno; <see cref="Apply"/> must follow a success.</summary>
    public int Run()
    {
        Rounds = PagesHeld = 0;
        Pages = 0;
        Held = TimeSpan.Zero;
        WasQuiet = true;
        var error = Catch();
        if (error != 0) return error;
        Look();
        DropHeld();
        if (_written.Count == 0) return 0;
        TakeDerived();
        _journal.Begin();
        while (error == 0 && _written.Count > Few && Rounds < MostRounds)
        {
            Rounds++;
            error = Copy();
            OnStep?.Invoke(CheckpointStep.Round);
            Look();
        }
        if (error == 0) error = Copy();
        if (error == 0) error = _journal.Flush();
        if (error == 0) error = LastRounds();
        if (error == 0)
        {
            OnStep?.Invoke(CheckpointStep.Commit);
            error = _journal.Commit();
        }
        if (error != 0)
        {
            Forget();
            if (Journal.IsFull(error)) _journal.Abandon();
            return error;
        }
        _unapplied = true;
        return 0;
    }

    /// <summary>
    /// Finishes what an earlier try or process left: a journal that is durable and not applied must not be overwritten, and what
    /// the image lacks must be known.
    /// </summary>
    private int Catch()
    {
        if (_image.IsBehind)
        {
            if (_image.Reconcile() is var error and not 0) return error;
            TakePending();
        }
        if (Apply() is var unapplied and not 0) return unapplied;
        if (!_image.IsBehind) return 0;
        // From here on the tracker knows; what came before, comparing finds.
        Look();
        _written.Clear();
        return _image.Compare(_used(), _written);
    }

    private void TakePending()
    {
        if (_image.TakePending() is not { } pending) return;
        _copied.AddAll(pending);
        pending.Dispose();
        _unapplied = true;
    }

    /// <summary>
    /// As long as only an attach has changed the memory, rewriting a page with its old contents is no change, and what the attach
    /// derived needs no place in the image, because the next one derives it again.
    /// </summary>
    private void DropHeld()
    {
        if (_image.HasDerived) _image.DropHeld(_written);
    }

    /// <summary>
    /// The first change takes along what an attach has written. Not all of that is derived: a slot that it freed may look like a
    /// whole record that nothing reaches, and what the record refers to may be reused from now on.
    /// </summary>
    private void TakeDerived()
    {
        if (_image.TakeDerived() is not { } derived) return;
        _image.DropHeld(derived);
        _written.AddAll(derived);
        derived.Dispose();
    }

    /// <summary>Applies the journal to the image. Returns an errno; after a failure it is retried before anything else.</summary>
    public int Apply()
    {
        if (!_unapplied) return 0;
        OnStep?.Invoke(CheckpointStep.Apply);
        var mark = _journal.Mark;
        var error = _journal.Apply();
        if (error != 0) return error;
        OnStep?.Invoke(CheckpointStep.Applied);
        _image.Hashes?.Trust(_copied, mark);
        _copied.Clear();
        _unapplied = false;
        return 0;
    }

    public void Dispose()
    {
        _written.Dispose();
        _copied.Dispose();
    }

    private int LastRounds()
    {
        var error = 0;
        for (var round = 1; ; round++)
        {
            _standstill(() => error = LastRound());
            if (error != 0 || WasQuiet || round == MostLastRounds) return error;
            // The gathered pages are written first, so that the next round has memory for its own.
            if ((error = _journal.Flush()) != 0) return error;
            Thread.Sleep(s_betweenLastRounds);
        }
    }

    private int LastRound()
    {
        var start = Stopwatch.GetTimestamp();
        OnStep?.Invoke(CheckpointStep.Standstill);
        var error = 0;
        WasQuiet = false;
        for (var look = 0; look < MostLooks && error == 0 && !WasQuiet; look++)
        {
            OnStep?.Invoke(CheckpointStep.Look);
            Look();
            WasQuiet = _written.Count == 0;
            PagesHeld += (int)_written.Count;
            error = Copy();
        }
        var held = Stopwatch.GetElapsedTime(start);
        if (held > Held) Held = held;
        return error;
    }

    private void Look() => _tracker.Collect(_written, 0, _used());

    private int Copy()
    {
        var error = _journal.Add(_memory, _written);
        Pages += _written.Count;
        _copied.AddAll(_written);
        _written.Clear();
        return error;
    }

    private void Forget()
    {
        _written.AddAll(_copied);
        _copied.Clear();
    }
}

/// <summary>The steps of a checkpoint.</summary>
internal enum CheckpointStep { Round, Standstill, Look, Commit, Apply, Applied }
