using System.Runtime.InteropServices;

namespace Tmem.Fuse.Session;

/// <summary>
/// The deaths that a request has seen: stored before the message in its buffer. It is a suspect only of deaths in which it was in
/// hand, and only while there is no other explanation: a worker that was killed from outside, by SIGKILL say, was not killed by a
/// request.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RequestNote
{
    /// <summary>The request, without the mark of a resent one; a note of another request is ignored.</summary>
    public ulong Unique;
    /// <summary>
    /// The processes that died with it: positive while the cause is unknown, negative once it is known to be a fault; 0 for none.
    /// One store each, so that a process that dies while it counts leaves nothing to be counted twice.
    /// </summary>
    public int First;
    public int Second;

    /// <summary>Whether it has killed two workers.</summary>
    public readonly bool IsGuilty => First < 0 && Second < 0;

    /// <summary>Makes it the note of a request, clearing that of another.</summary>
    public void Become(ulong unique)
    {
        if (Unique == unique) return;
        Volatile.Write(ref First, 0);
        Volatile.Write(ref Second, 0);
        Volatile.Write(ref Unique, unique);
    }

    /// <summary>Notes a death in which the request was in hand.</summary>
    public void Add(int process)
    {
        if (Math.Abs(First) == process || Math.Abs(Second) == process) return;
        if (First == 0) First = process;
        else if (Second == 0) Second = process;
    }

    /// <summary>
    /// Whether two deaths are noted and not both known to be faults: their causes must be found before the request is tried
    /// again.
    /// </summary>
    public readonly bool MustBeJudged => First != 0 && Second != 0 && !IsGuilty;

    /// <summary>Updates the causes of the deaths: whether each was a fault, or null.</summary>
    public void Judge(Func<int, bool?> wasFault)
    {
        First = Judged(First, wasFault);
        Second = Judged(Second, wasFault);
    }

    /// <summary>Takes deaths of unknown cause for no faults.</summary>
    public void Acquit()
    {
        First = Math.Min(First, 0);
        Second = Math.Min(Second, 0);
    }

    private static int Judged(int process, Func<int, bool?> wasFault) =>
        process <= 0 || wasFault(process) is not { } fault ? process : fault ? -process : 0;
}

/// <summary>The buffers' note of the process that used them last, on a page of its own.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CarrierNote
{
    /// <summary>The process that carries requests out, or died doing so.</summary>
    public int Process;
    /// <summary>
    /// The buffer, counted from 1, whose request an earlier process left and this one carries out, with nothing else in hand; 0:
    /// none.
    /// </summary>
    public int Repeating;
}
