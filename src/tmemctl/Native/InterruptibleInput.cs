using Microsoft.Win32.SafeHandles;

namespace Tmem.Ctl.Native;

/// <summary>An input whose reader gives up when that is asked for, also while nothing comes.</summary>
/// <param name="handle">Open for reading.</param>
/// <param name="giveUp">Throws when the reader is to give up.</param>
internal sealed class InterruptibleInput(SafeFileHandle handle, Action giveUp) : Stream
{
    private const int Look = 200;

    private readonly FileStream _input = new(handle, FileAccess.Read, bufferSize: 0);

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        // What is no more, or wrong, is there too: the read tells.
        do giveUp();
        while (!Files.HasInput((int)handle.DangerousGetHandle(), Look));
        return _input.Read(buffer);
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _input.Dispose();
        base.Dispose(disposing);
    }
}
