using System.Runtime.InteropServices;

namespace Tmem.Fuse.Session;

/// <summary>
/// Which deaths a request has seen: before the message in its buffer. It is a suspect only of those in which it was in hand, and
/// only while no other explanation is known: a worker that was killed from outside, by SIGKILL say, was not killed by a request.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RequestNote
{
    /// <summary>The request, without the mark of one that was sent again; another one's note counts for nothing.</summary>
    public ulong Unique;
    /// <summary>
    /// The processes that died with it: positive while it is not known how, negative once it is known that it was a fault; 0 for
    /// none. One store each, so that a process that dies while it counts leaves nothing to be counted twice.
    /// </summary>
    public int First;
    public int Second;

    /// <summary>Whether it has killed two workers.</summary>
    public readonly bool IsGuilty => First < 0 && Second < 0;

    /// <summary>Makes it the note of a request, if it is another's.</summary>
    public void Become(ulong unique)
    {
        if (Unique == unique) return;
        Volatile.Write(ref First, 0);
        Volatile.Write(ref Second, 0);
        Volatile.Write(ref Unique, unique);
    }

    /// <summary>Notes a death that it was in hand in.</summary>
    public void Add(int process)
    {
        if (Math.Abs(First) == process || Math.Abs(Second) == process) return;
        if (First == 0) First = process;
        else if (Second == 0) Second = process;
    }

    /// <summary>
    /// Whether it is unknown of two deaths whether they were faults: then it has to be found out before the request is tried
    /// again.
    /// </summary>
    public readonly bool MustBeJudged => First != 0 && Second != 0 && !IsGuilty;

    /// <summary>Takes in what is known of the deaths: how one was, or null.</summary>
    public void Judge(Func<int, bool?> wasFault)
    {
        First = Judged(First, wasFault);
        Second = Judged(Second, wasFault);
    }

    /// <summary>What is still unknown was no fault.</summary>
    public void Acquit()
    {
        First = Math.Min(First, 0);
        Second = Math.Min(Second, 0);
    }

    private static int Judged(int process, Func<int, bool?> wasFault) =>
        process <= 0 || wasFault(process) is not { } fault ? process : fault ? -process : 0;
}

/// <summary>What the buffers say of the process that used them last, on a page of its own.</summary>
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
