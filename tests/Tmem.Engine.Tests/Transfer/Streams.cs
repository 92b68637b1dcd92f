namespace Tmem.Engine.Tests.Transfer;

/// <summary>A stream that announces each read before it happens.</summary>
internal sealed class WatchedStream(byte[] bytes, Action onRead) : MemoryStream(bytes)
{
    public override int Read(byte[] buffer, int offset, int count)
    {
        onRead();
        return base.Read(buffer, offset, count);
    }
}

/// <summary>A stream with no room.</summary>
internal sealed class FullStream : MemoryStream
{
    public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("no space left");
}
