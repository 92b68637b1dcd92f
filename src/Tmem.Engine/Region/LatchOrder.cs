using System.Diagnostics;

namespace Tmem.Engine.Region;

/// <summary>
/// Latches in the order they are taken, outermost first. A held latch contains its rank, so that a dump tells them apart.
/// </summary>
internal enum LatchRank
{
    /// <summary>The eviction hands', or the compactor's.</summary>
    Reclaim = 1,
    /// <summary>A bucket's. Several at once: by place in the pool table, then by number.</summary>
    Bucket,
    /// <summary>The exchange record's.</summary>
    Exchange,
    /// <summary>A client's, while one of its pools grows.</summary>
    Growth,
    /// <summary>The reserves'.</summary>
    Reserves,
    /// <summary>A size class's. All at once in a standstill.</summary>
    Class,
    /// <summary>The span pool's.</summary>
    Spans,
    /// <summary>For short notes (a list of corrupt pages, of punched parts): no latch is taken under it.</summary>
    Notes,
}

/// <summary>
/// Asserts, where assertions are on, that a thread takes latches in the order of their ranks: a thread that waits for one holds
/// none of a later rank, so no two can wait for each other (docs/architecture.md, "Locks").
/// </summary>
internal static class LatchOrder
{
    [ThreadStatic] private static int[]? t_held;

    /// <summary>For a comment "under the latch": the calling thread holds one of that rank.</summary>
    [Conditional("DEBUG")]
    public static void AssertHeld(LatchRank rank) =>
        Debug.Assert(t_held is { } held && held[(int)rank] > 0, $"no latch of rank {rank} is held");

    /// <summary>Before a wait for a latch of that rank.</summary>
    [Conditional("DEBUG")]
    public static void Waits(LatchRank rank)
    {
        if (t_held is not { } held) return;
        Debug.Assert(held[(int)rank] == 0 || rank is LatchRank.Bucket or LatchRank.Class, $"a second latch of rank {rank}");
        for (var later = (int)rank + 1; later < held.Length; later++)
            Debug.Assert(held[later] == 0, $"a latch of rank {rank} is waited for under one of rank {(LatchRank)later}");
    }

    /// <summary>Before a wait for a lock of the embedder's, which precede all latches.</summary>
    [Conditional("DEBUG")]
    public static void HoldsNone() =>
        Debug.Assert(t_held is not { } held || !held.AsSpan().ContainsAnyExcept(0), "a lock is waited for under a latch");

    /// <summary>After taking a latch of that rank.</summary>
    [Conditional("DEBUG")]
    public static void Entered(LatchRank rank) => (t_held ??= new int[(int)LatchRank.Notes + 1])[(int)rank]++;

    /// <summary>Before releasing a latch of that rank.</summary>
    [Conditional("DEBUG")]
    public static void Left(LatchRank rank)
    {
        Debug.Assert(t_held is { } held && held[(int)rank] > 0, $"a latch of rank {rank} is left by the thread that entered it");
        t_held![(int)rank]--;
    }
}
