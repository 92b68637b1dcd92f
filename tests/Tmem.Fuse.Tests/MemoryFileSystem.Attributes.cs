using System.Text;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Tests;

/// <summary>Extended attributes.</summary>
internal sealed partial class MemoryFileSystem
{
    public Errno GetExtendedAttribute(NodeId node, ReadOnlySpan<byte> name, Span<byte> value, out int length)
    {
        length = 0;
        Note($"getxattr {node.Value} {Text(name)} {value.Length}");
        if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
        return found.Attributes.TryGetValue(Text(name), out var bytes) ? Give(bytes, value, out length) : Errno.ENODATA;
    }

    public Errno SetExtendedAttribute(in Caller caller, NodeId node, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value,
        uint flags)
    {
        Note($"setxattr {node.Value} {Text(name)} {Text(value)} {flags}");
        if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
        found.Attributes[Text(name)] = value.ToArray();
        return Errno.Ok;
    }

    public Errno ListExtendedAttributes(in Caller caller, NodeId node, Span<byte> names, out int length)
    {
        length = 0;
        Note($"listxattr {node.Value} {names.Length}");
        if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
        return Give(found.Attributes.Keys.SelectMany(k => Encoding.Latin1.GetBytes(k + "\0")).ToArray(), names, out length);
    }

    public Errno RemoveExtendedAttribute(in Caller caller, NodeId node, ReadOnlySpan<byte> name)
    {
        Note($"removexattr {node.Value} {Text(name)}");
        if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
        return found.Attributes.Remove(Text(name)) ? Errno.Ok : Errno.ENODATA;
    }

    private static Errno Give(byte[] bytes, Span<byte> room, out int length)
    {
        length = bytes.Length;
        if (room.Length == 0) return Errno.Ok;
        if (room.Length < bytes.Length) return Errno.ERANGE;
        bytes.CopyTo(room);
        return Errno.Ok;
    }
}
