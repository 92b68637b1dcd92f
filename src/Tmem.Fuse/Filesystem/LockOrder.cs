using System.Diagnostics;
using Tmem.Engine.Region;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// The file system's own locks in the order in which they are taken, outermost first. The engine's latches come after them.
/// </summary>
internal enum LockRank
{
    /// <summary>The namespace lock.</summary>
    Names,
    /// <summary>A file's.</summary>
    File,
    /// <summary>A page's.</summary>
    Page,
}

/// <summary>
/// Asserts, where assertions are on, that a thread takes locks in the order of their ranks and one of a rank at a time
/// (docs/architecture.md, "Locks"), as <see cref="LatchOrder"/> does for the engine's latches. A lock that was never released is
/// found too, when its thread takes the next.
/// </summary>
internal static class LockOrder
{
    // A bit for each rank.
    [ThreadStatic] private static int t_held;

    /// <summary>Before a wait for a lock of this rank.</summary>
    [Conditional("DEBUG")]
    public static void Waits(LockRank rank)
    {
        Debug.Assert(t_held >> (int)rank == 0, $"a lock of rank {rank} is waited for under one of the same rank or a later one");
        LatchOrder.HoldsNone();
    }

    /// <summary>After a lock of this rank was taken.</summary>
    [Conditional("DEBUG")]
    public static void Entered(LockRank rank) => t_held |= 1 << (int)rank;

    /// <summary>After a lock of this rank was released.</summary>
    [Conditional("DEBUG")]
    public static void Left(LockRank rank)
    {
        Holds(rank);
        t_held &= ~(1 << (int)rank);
    }

    /// <summary>The caller must hold a lock of this rank.</summary>
    [Conditional("DEBUG")]
    public static void Holds(LockRank rank) =>
        Debug.Assert((t_held >> (int)rank & 1) != 0, $"a lock of rank {rank} is held by the thread that needs it");
}
