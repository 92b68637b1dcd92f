using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Session;

/// <summary>
/// How long requests of a kind took: bucket k counts those of at most 2^k microseconds that no bucket before it counts, and the
/// last one the rest. Powers of two cost one instruction each, and tell a disk from memory, which is what is asked of them.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LatencyRow
{
    /// <summary>Up to 2^24 us, 17 seconds, and one for the rest.</summary>
    public const int Buckets = 26;

    public BucketCounts Counts;
    /// <summary>Of all of them.</summary>
    public long Nanoseconds;

    [InlineArray(Buckets)]
    public struct BucketCounts
    {
        private long _first;
    }

    /// <summary>The bucket of a latency.</summary>
    public static int BucketOf(long nanoseconds) => nanoseconds <= 1000 ? 0
        : Math.Min(BitOperations.Log2((ulong)(nanoseconds - 1) / 1000) + 1, Buckets - 1);
}

/// <summary>
/// The latencies that one thread has measured, or several with <see cref="AddShared"/>. They lie in memory that processes share
/// and that is there and locked anyway, beside each thread's request buffer: they cost no memory, no thread waits for another's
/// cache line, and they outlive a worker. The clock is read as often as without them: the end of a request is when the wait for
/// the next one begins, and its begin the last look before it was there.
/// </summary>
[InlineArray(RequestKinds.Count)]
internal struct Latencies
{
    private LatencyRow _first;

    /// <summary>Their place in a page that begins with a note of a few words.</summary>
    public const int Offset = 64;

    static Latencies() => Debug.Assert(Stopwatch.Frequency == 1_000_000_000, "a tick is a nanosecond");

    /// <summary>The latencies in a page.</summary>
    public static ref Latencies In(Span<byte> page) => ref MemoryMarshal.AsRef<Latencies>(page[Offset..]);

    /// <summary>The kind of a message.</summary>
    public static RequestKind KindOf(ReadOnlySpan<byte> message) =>
        message.Length < FuseProtocol.InHeaderSize ? RequestKind.Other
            : OpcodeTable.Find(MemoryMarshal.AsRef<FuseInHeader>(message).Opcode).Measured;

    /// <summary>Counts a request; for the one thread that owns these.</summary>
    public static void Add(ref Latencies latencies, RequestKind kind, long nanoseconds)
    {
        ref var row = ref latencies[(int)kind];
        row.Counts[LatencyRow.BucketOf(nanoseconds)]++;
        row.Nanoseconds += nanoseconds;
    }

    /// <summary>Counts a request; for several threads.</summary>
    public static void AddShared(ref Latencies latencies, RequestKind kind, long nanoseconds)
    {
        ref var row = ref latencies[(int)kind];
        Interlocked.Increment(ref row.Counts[LatencyRow.BucketOf(nanoseconds)]);
        Interlocked.Add(ref row.Nanoseconds, nanoseconds);
    }

    /// <summary>Adds what others have counted.</summary>
    public static void Gather(ref Latencies sum, ref Latencies others)
    {
        for (var kind = 0; kind < RequestKinds.Count; kind++)
        {
            for (var bucket = 0; bucket < LatencyRow.Buckets; bucket++)
                sum[kind].Counts[bucket] += Volatile.Read(ref others[kind].Counts[bucket]);
            sum[kind].Nanoseconds += Volatile.Read(ref others[kind].Nanoseconds);
        }
    }
}
