using Tmem.Fuse.Abi;
using Tmem.Fuse.Protocol;
using Tmem.Fuse.Session;
using Tmem.Fuse.Tests.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Session;

/// <summary>What a killed process had read is found by the next one, once.</summary>
public sealed class RequestBufferTests : IDisposable
{
    private readonly RequestBuffers _buffers = RequestBuffers.Create();
    private readonly Bench _bench = new();

    public void Dispose() => _ = Libc.close(_buffers.Descriptor);

    [Fact]
    public void A_forget_in_hand_is_finished_once()
    {
        Leave(1, new Message(FuseOpcode.Forget, 2).With(3UL));
        _buffers.FinishForgets(_bench.Dispatcher, 3);
        Assert.Equal("forget 2 3", Assert.Single(_bench.Files.Calls));
        _buffers.FinishForgets(_bench.Dispatcher, 3);
        Assert.Single(_bench.Files.Calls);
    }

    [Fact]
    public void What_is_done_or_sent_again_by_the_kernel_is_left()
    {
        Leave(0, new Message(FuseOpcode.Unlink).Name("f"));
        Leave(2, new Message(FuseOpcode.Forget, 2).With(3UL));
        using (var buffer = _buffers.Map(2)) RequestBuffers.MarkDone(buffer.Span);
        _buffers.FinishForgets(_bench.Dispatcher, 3);
        Assert.Empty(_bench.Files.Calls);
    }

    private void Leave(int thread, Message message)
    {
        using var buffer = _buffers.Map(thread);
        message.Build().CopyTo(buffer.Span);
    }
}
