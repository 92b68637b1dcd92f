using System.Runtime.InteropServices;
using System.Text;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Protocol;

/// <summary>Builds a request byte by byte, as the kernel would.</summary>
internal sealed class Message(FuseOpcode opcode, ulong node = 1, ulong unique = 2)
{
    private readonly List<byte> _arguments = [];

    /// <summary>Overrides the header's length.</summary>
    public uint? Length { get; init; }

    public Message With<T>(T value) where T : unmanaged
    {
        _arguments.AddRange(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
        return this;
    }

    public Message Bytes(params byte[] bytes)
    {
        _arguments.AddRange(bytes);
        return this;
    }

    /// <summary>A name with its NUL.</summary>
    public Message Name(string name) => Bytes([.. Encoding.Latin1.GetBytes(name), 0]);

    public byte[] Build()
    {
        var header = new FuseInHeader
        {
            Length = Length ?? (uint)(40 + _arguments.Count), Opcode = opcode, Unique = unique, NodeId = node, Uid = 5, Gid =
                6, Pid = 7,
        };
        return [.. MemoryMarshal.AsBytes(new ReadOnlySpan<FuseInHeader>(in header)), .. _arguments];
    }
}

/// <summary>A decoded reply.</summary>
internal sealed record Answer(int Length, Errno Error, ulong Unique, byte[] Body)
{
    public bool IsSilent => Length == 0;

    public T As<T>(int offset = 0) where T : unmanaged => MemoryMarshal.Read<T>(Body.AsSpan(offset));
}

/// <summary>A dispatcher over the small file system, with a file "f" (node 2) that holds "hello".</summary>
internal sealed class Bench
{
    private readonly byte[] _reply = new byte[16 + (1 << 20)];

    public Bench()
    {
        Dispatcher = new Dispatcher<MemoryFileSystem>(Files, Faults.Add, Tmemctl.Default);
        Files.Create(default, NodeId.Root, "f"u8, 0, 0x81a4, 0, out _, out _);
        Files.Write(default, new NodeId(2), 0, 0, "hello"u8, 0, out _, out _);
        Files.Recording = true;
        Files.Calls.Clear();
    }

    public MemoryFileSystem Files { get; } = new();

    public List<string> Faults { get; } = [];

    public Dispatcher<MemoryFileSystem> Dispatcher { get; }

    /// <summary>The last call that the file system saw; "" if none.</summary>
    public string LastCall => Files.Calls.Count == 0 ? "" : Files.Calls[^1];

    public Answer Send(Message message) => Send(message.Build());

    /// <summary>How a successor treats a buffer.</summary>
    public Answer Repeat(byte[] buffer) => Read(Dispatcher.Repeat(buffer, _reply, 0, out _));

    public Answer Send(byte[] request) => Read(Dispatcher.Dispatch(request, _reply, 0, out _));

    private Answer Read(int length)
    {
        if (length == 0) return new Answer(0, Errno.Ok, 0, []);
        var header = MemoryMarshal.Read<FuseOutHeader>(_reply);
        Assert.Equal((uint)length, header.Length);
        Assert.InRange(header.Error, -511, 0);
        if (header.Error != 0) Assert.Equal(16, length);
        return new Answer(length, (Errno)(-header.Error), header.Unique, _reply[16..length]);
    }
}
