using System.Buffers.Binary;
using System.Text;
using Tmem.Engine;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>A name as READDIR gives it.</summary>
internal sealed record Listed(string Name, ulong Inode, uint Type, ulong Cookie);

/// <summary>
/// A file system over an engine of its own, without a kernel. <see cref="Attach"/> builds a second file system over the same
/// region, in the state in which a new process finds it: nothing but the records.
/// </summary>
internal sealed class TestVolume : IDisposable
{
    public const long Mebi = 1 << 20;
    public const int Page = 4096;
    public static readonly Caller Root = new(0, 0, 1);
    public static readonly Caller User = new(1000, 1000, 2);

    private readonly ulong _hashMask;

    public TestVolume(long capacity = 64 * Mebi, string? path = null, ulong hashMask = NameHash.Full)
        : this(new EngineOptions { CapacityBytes = capacity, RegionPath = path }, hashMask) { }

    public TestVolume(EngineOptions options, ulong hashMask = NameHash.Full)
    {
        _hashMask = hashMask;
        Engine = TmemEngine.Open(options);
        Client = Engine.Client(new TmemClientId(1));
        Files = new TmemFileSystem(Engine, Client, hashMask);
    }

    public TmemEngine Engine { get; }
    public TmemClient Client { get; }
    public TmemFileSystem Files { get; private set; }

    public void Dispose() => Engine.Dispose();

    public void Attach() => Files = new TmemFileSystem(Engine, Client, _hashMask);

    public void AssertSound()
    {
        Assert.Empty(Files.Verify());
        var report = Engine.Verify(quiescent: true);
        Assert.True(report.Clean, string.Join(Environment.NewLine, report.Problems));
    }

    public static byte[] Bytes(string name) => Encoding.UTF8.GetBytes(name);

    public NodeId Pool(string name = "p", PoolFlags flags = PoolFlags.Persistent, long limit = 0)
    {
        Assert.Equal(Errno.Ok, Files.CreatePool(name, new PoolOptions(flags, limit), 0x1ED, out _));
        return Find(NodeId.Root, name);
    }

    public Errno TryFind(NodeId parent, string name, out NodeId node)
    {
        var error = Files.Lookup(Root, parent, Bytes(name), out var entry);
        node = new NodeId(entry.NodeId);
        return error;
    }

    public NodeId Find(NodeId parent, string name)
    {
        Assert.Equal(Errno.Ok, TryFind(parent, name, out var node));
        return node;
    }

    public NodeId Directory(NodeId parent, string name, uint mode = 0x1ED)
    {
        Assert.Equal(Errno.Ok, Files.MakeDirectory(Root, parent, Bytes(name), mode, out var entry));
        return new NodeId(entry.NodeId);
    }

    public Errno TryFile(NodeId parent, string name, out NodeId node)
    {
        var error = Files.MakeNode(Root, parent, Bytes(name), InodeMode.Regular | 0x1A4, 0, out var entry);
        node = new NodeId(entry.NodeId);
        return error;
    }

    public NodeId File(NodeId parent, string name, ReadOnlySpan<byte> contents = default)
    {
        Assert.Equal(Errno.Ok, TryFile(parent, name, out var node));
        if (!contents.IsEmpty) Write(node, 0, contents);
        return node;
    }

    public Errno TryWrite(NodeId node, ulong offset, ReadOnlySpan<byte> data, out uint written, uint flags = 0) =>
        Files.Write(Root, node, 0, offset, data, flags, out written, out _);

    public void Write(NodeId node, ulong offset, ReadOnlySpan<byte> data)
    {
        Assert.Equal(Errno.Ok, TryWrite(node, offset, data, out var written));
        Assert.Equal((uint)data.Length, written);
    }

    public Errno TryRead(NodeId node, ulong offset, int count, out byte[] data)
    {
        var buffer = new byte[count];
        var error = Files.Read(node, 0, offset, buffer, 0, out var length);
        data = buffer[..length];
        return error;
    }

    public byte[] Read(NodeId node, ulong offset, int count)
    {
        Assert.Equal(Errno.Ok, TryRead(node, offset, count, out var data));
        return data;
    }

    public FuseAttr Attributes(NodeId node)
    {
        Assert.Equal(Errno.Ok, Files.GetAttributes(node, out var attributes));
        return attributes.Attr;
    }

    public Errno Set(NodeId node, FuseSetattrIn change) => Files.SetAttributes(Root, node, change, out _);

    public Errno Truncate(NodeId node, ulong size) => Set(node, new FuseSetattrIn { Valid = FuseSetattrValid.Size, Size = size });

    public Errno Unlink(NodeId parent, string name) => Files.Unlink(Root, parent, Bytes(name));

    public Errno RemoveDirectory(NodeId parent, string name) => Files.RemoveDirectory(Root, parent, Bytes(name));

    public Errno Rename(NodeId parent, string name, NodeId newParent, string newName, uint flags = 0) =>
        Files.Rename(Root, parent, Bytes(name), newParent, Bytes(newName), flags);

    public Errno Link(NodeId node, NodeId parent, string name) => Files.Link(Root, node, parent, Bytes(name), out _);

    public Errno SetAttribute(NodeId node, string name, ReadOnlySpan<byte> value, uint flags = 0) =>
        Files.SetExtendedAttribute(Root, node, Bytes(name), value, flags);

    public Errno GetAttribute(NodeId node, string name, out byte[] value)
    {
        var buffer = new byte[64 * 1024];
        var error = Files.GetExtendedAttribute(node, Bytes(name), buffer, out var length);
        value = buffer[..length];
        return error;
    }

    public string[] AttributeNames(NodeId node) => AttributeNames(node, Root);

    public string[] AttributeNames(NodeId node, Caller caller)
    {
        Assert.Equal(Errno.Ok, Files.ListExtendedAttributes(caller, node, [], out var needed));
        var buffer = new byte[needed];
        Assert.Equal(Errno.Ok, Files.ListExtendedAttributes(caller, node, buffer, out var length));
        Assert.Equal(needed, length);
        return Encoding.UTF8.GetString(buffer, 0, length).Split('\0', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>One READDIR call.</summary>
    public List<Listed> ListFrom(NodeId directory, ulong cookie, int buffer = 4096)
    {
        var bytes = new byte[buffer];
        var writer = new DirectoryWriter(bytes, plus: false);
        Assert.Equal(Errno.Ok, Files.ReadDirectory(Root, directory, 0, cookie, ref writer));
        var listed = new List<Listed>();
        for (var at = 0; at < writer.Length;)
        {
            var record = bytes.AsSpan(at);
            var length = BinaryPrimitives.ReadInt32LittleEndian(record[16..]);
            listed.Add(new Listed(
                Encoding.UTF8.GetString(record.Slice(24, length)), BinaryPrimitives.ReadUInt64LittleEndian(record),
                BinaryPrimitives.ReadUInt32LittleEndian(record[20..]), BinaryPrimitives.ReadUInt64LittleEndian(record[8..])));
            at += (24 + length + 7) & ~7;
        }
        return listed;
    }

    /// <summary>The whole directory, by calls with a small buffer, without "." and "..".</summary>
    public List<Listed> List(NodeId directory, int buffer = 128)
    {
        var all = new List<Listed>();
        for (var part = ListFrom(directory, 0, buffer); part.Count > 0; part = ListFrom(directory, all[^1].Cookie, buffer))
            all.AddRange(part);
        Assert.Equal([".", ".."], all.Take(2).Select(one => one.Name));
        return all[2..];
    }

    /// <summary>Incompressible bytes, the same for a seed.</summary>
    public static byte[] Noise(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
