namespace Tmem.Fuse.Keeper;

/// <summary>
/// To whom the page belongs: to the processes of one term. Descriptors have the numbers of that term, and whoever goes on with
/// other numbers (<see cref="Handover.Revive"/>) begins another. A process may have been started by one that died before it noted
/// it, so both sides show themselves before they look:
/// <list type="bullet">
/// <item>A process that begins writes its number into the page, and then reads the term. If that is not the one that it was
/// started in, it ends.</item>
/// <item>Whoever takes the page finds all processes dead that it names, begins a term, and then looks once more. If one lives
/// now, it has begun before the term did: the term is undone, for the page is that one's.</item>
/// </list>
/// So one of the two sees the other, whenever each of them runs, and nobody waits for a process that may never have been started.
/// A process starts others in its own term, whatever the page says by then. A lock was considered: one of a file is held by
/// whoever inherits it, the supervisor above all, and one of a process is not held yet when the process is started.
/// </summary>
internal static class Tenure
{
    /// <summary>The term of a process whose starter did not tell: an earlier program.</summary>
    public const int Unknown = -1;

    /// <summary>Called by a process that begins, before it touches anything.</summary>
    /// <param name="page">The page.</param>
    /// <param name="term">The term that it was started in.</param>
    /// <param name="process">Its number.</param>
    /// <returns>Whether the page is still of that term. If not, the process must end.</returns>
    public static bool TryBegin(ref HandoverPage page, int term, int process)
    {
        if (!IsOf(ref page, term)) return false;
        _ = Interlocked.Exchange(ref page.Beginner, process);
        return IsOf(ref page, term);
    }

    /// <summary>Begins another term. Called when all processes that the page names have been seen dead.</summary>
    /// <param name="page">The page.</param>
    /// <param name="lives">Whether a process lives that the page names.</param>
    /// <returns>False if one lives, or somebody else takes the page: nothing has changed.</returns>
    public static bool TryTake(ref HandoverPage page, Func<int, bool> lives)
    {
        var term = Volatile.Read(ref page.Term);
        if (Interlocked.CompareExchange(ref page.Term, term + 1, term) != term) return false;
        if (!Lives(ref page, lives)) return true;
        _ = Interlocked.CompareExchange(ref page.Term, term, term + 1);
        return false;
    }

    /// <summary>
    /// The processes that the page names, 0 for none. A process moves from the first of these words to a later one, and is read
    /// where it was or where it is.
    /// </summary>
    public static int[] Named(ref HandoverPage page) =>
    [
        Volatile.Read(ref page.Beginner), Volatile.Read(ref page.StandbyProcess), Volatile.Read(ref page.WorkerProcess),
        Volatile.Read(ref page.ServingProcess), Volatile.Read(ref page.KeeperProcess),
    ];

    private static bool Lives(ref HandoverPage page, Func<int, bool> lives)
    {
        foreach (var process in Named(ref page))
            if (process != 0 && lives(process)) return true;
        return false;
    }

    private static bool IsOf(ref HandoverPage page, int term) => term == Unknown || Volatile.Read(ref page.Term) == term;
}
