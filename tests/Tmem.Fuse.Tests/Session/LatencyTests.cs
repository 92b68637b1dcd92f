using System.Diagnostics;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Session;
using Xunit;

namespace Tmem.Fuse.Tests.Session;

/// <summary>Where a latency is counted, and as what.</summary>
public sealed class LatencyTests
{
    [Theory]
    [InlineData(-5, 0)]
    [InlineData(0, 0)]
    [InlineData(1_000, 0)]
    [InlineData(1_001, 1)]
    [InlineData(2_000, 1)]
    [InlineData(2_001, 2)]
    [InlineData(4_000, 2)]
    [InlineData(1_024_000, 10)]
    [InlineData(1_024_001, 11)]
    [InlineData(16_777_216_000, 24)]
    [InlineData(16_777_216_001, 25)]
    [InlineData(long.MaxValue, 25)]
    public void A_bucket_ends_at_a_power_of_two_of_a_microsecond(long nanoseconds, int bucket) =>
        Assert.Equal(bucket, LatencyRow.BucketOf(nanoseconds));

    [Fact]
    public void What_threads_have_counted_adds_up()
    {
        Latencies one = default, shared = default, sum = default;
        Latencies.Add(ref one, RequestKind.Read, 1_500);
        Latencies.Add(ref one, RequestKind.Read, 3_000);
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < 10_000; i++) Latencies.AddShared(ref shared, RequestKind.Sync, 10);
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Latencies.Gather(ref sum, ref one);
        Latencies.Gather(ref sum, ref shared);
        Assert.Equal((1, 1, 4_500), (sum[(int)RequestKind.Read].Counts[1], sum[(int)RequestKind.Read].Counts[2],
            sum[(int)RequestKind.Read].Nanoseconds));
        Assert.Equal((40_000, 400_000), (sum[(int)RequestKind.Sync].Counts[0], sum[(int)RequestKind.Sync].Nanoseconds));
    }

    /// <summary>An operation that is served is of a kind by decision, and the rows lie in the page beside the note.</summary>
    [Fact]
    public void Every_operation_has_a_kind_and_all_kinds_have_room()
    {
        FuseOpcode[] others = [FuseOpcode.Init, FuseOpcode.Forget, FuseOpcode.BatchForget, FuseOpcode.Interrupt,
            FuseOpcode.NotifyReply, FuseOpcode.Open, FuseOpcode.Release, FuseOpcode.Lseek, FuseOpcode.Statfs];
        Assert.Equal(others.Order(), OpcodeTable.Known().Where(opcode => OpcodeTable.Find(opcode) is
            { Kind: not OpcodeKind.Unsupported, Measured: RequestKind.Other }).Order());
        Assert.Equal(1_000_000_000, Stopwatch.Frequency);
        var page = new byte[4096 - FuseProtocol.WriteOverhead];
        Latencies.Add(ref Latencies.In(page), RequestKind.Sync, long.MaxValue);
        Assert.All(page[..Latencies.Offset], value => Assert.Equal(0, value));
    }
}
