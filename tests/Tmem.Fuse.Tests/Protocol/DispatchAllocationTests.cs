using Tmem.Fuse.Abi;
using Xunit;

namespace Tmem.Fuse.Tests.Protocol;

/// <summary>The data path allocates nothing: a collection there could wait for memory that only the data path can free.</summary>
public sealed class DispatchAllocationTests
{
    private const int Rounds = 100_000;
    private readonly Bench _bench = new();
    private readonly byte[] _reply = new byte[16 + (1 << 20)];

    public DispatchAllocationTests() => _bench.Files.Recording = false;

    private long AllocatedBy(Message message)
    {
        var request = message.Build();
        return LeastAllocated(() => _bench.Dispatcher.Dispatch(request, _reply, 0, out _) > 0);
    }

    /// <summary>
    /// The least of a few rounds: while the runtime still recompiles code, it counts the compiler's own allocations to this
    /// thread.
    /// </summary>
    private static long LeastAllocated(Func<bool> operation)
    {
        var least = long.MaxValue;
        for (var round = 0; round < 4; round++)
        {
            var answered = true;
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < Rounds; i++) answered &= operation();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.True(answered);
        }
        return least;
    }

    [Fact]
    public void Read() => Assert.Equal(0, AllocatedBy(new Message(FuseOpcode.Read, 2).With(new FuseReadIn { Size = 4096 })));

    [Fact]
    public void Write() => Assert.Equal(0,
        AllocatedBy(new Message(FuseOpcode.Write, 2).With(new FuseWriteIn { Size = 4096 }).Bytes(new byte[4096])));

    [Fact]
    public void Getattr() => Assert.Equal(0, AllocatedBy(new Message(FuseOpcode.Getattr, 2).With(default(FuseGetattrIn))));

    [Fact]
    public void Refusals() => Assert.Equal(0, AllocatedBy(new Message(FuseOpcode.Lookup).Name("a/b")));

    [Fact]
    public void Classification()
    {
        var request = new Message(FuseOpcode.Read, 2).With(new FuseReadIn { Size = 4096 }).Build();
        Assert.Equal(0, LeastAllocated(() => !_bench.Dispatcher.MayTakeLong(request)));
    }

    [Fact]
    public void The_measure_sees_an_allocation()
    {
        _bench.Files.Recording = true;
        Assert.NotEqual(0, AllocatedBy(new Message(FuseOpcode.Getattr, 2).With(default(FuseGetattrIn))));
    }
}
