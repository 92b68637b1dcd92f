using Tmem.Fuse.Abi;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;

namespace Tmem.Fuse.Tests;

/// <summary>Contents of files, and what the replies about them wait for.</summary>
internal sealed partial class MemoryFileSystem
{
    /// <summary>The disk behind it; null for none.</summary>
    public Func<Errno>? OnMakeDurable { get; set; }

    /// <summary>What the reply to a WRITE waits for; null for nothing.</summary>
    public Func<NodeId, ulong, uint, Deferral>? OnWrite { get; set; }

    public Errno Open(in Caller caller, NodeId node, uint flags, uint openFlags, out FuseOpenOut open)
    {
        open = new FuseOpenOut { Fh = 77 };
        Note($"open {node.Value} {flags} {openFlags}");
        const uint truncate = 0x200;
        lock (_lock)
        {
            if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
            if ((flags & truncate) != 0)
            {
                found.Data.AsSpan().Clear();
                found.Size = 0;
            }
            return Errno.Ok;
        }
    }

    public void Release(in Caller caller, NodeId node, ulong handle) => Note($"release {node.Value} {handle}");

    public Deferral Released(NodeId node) => default;

    /// <summary>The answer of <see cref="SizeOf"/>.</summary>
    public ulong Size { get; set; }

    public ulong SizeOf(NodeId node)
    {
        if (Broken) Note($"size {node.Value}");
        return Size;
    }

    public Errno Read(NodeId node, ulong handle, ulong offset, Span<byte> destination, uint readFlags, out int length)
    {
        length = 0;
        if (Broken || Recording) Note($"read {node.Value} {handle} {offset} {destination.Length}");
        lock (_lock)
        {
            if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
            if (offset >= (ulong)found.Size) return Errno.Ok;
            length = (int)Math.Min(destination.Length, found.Size - (long)offset);
            found.Data.AsSpan((int)offset, length).CopyTo(destination);
            return Errno.Ok;
        }
    }

    public Errno Write(in Caller caller, NodeId node, ulong handle, ulong offset, ReadOnlySpan<byte> data, uint writeFlags,
        out uint written,
        out Deferral deferral)
    {
        written = 0;
        deferral = OnWrite?.Invoke(node, offset, (uint)data.Length) ?? default;
        if (Broken || Recording) Note($"write {node.Value} {handle} {offset} {data.Length} {writeFlags}");
        lock (_lock)
        {
            if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
            if (offset + (ulong)data.Length > (ulong)found.Data.Length) return Errno.ENOSPC;
            data.CopyTo(found.Data.AsSpan((int)offset));
            found.Size = Math.Max(found.Size, (long)offset + data.Length);
            written = (uint)data.Length;
            return Errno.Ok;
        }
    }

    public Errno Flush(NodeId node, ulong handle)
    {
        Note($"flush {node.Value} {handle}");
        return Errno.Ok;
    }

    public Errno Sync(NodeId node, ulong handle, bool dataOnly, out Deferral deferral)
    {
        Note($"sync {node.Value} {handle} {dataOnly}");
        deferral = OnMakeDurable is null ? default : Deferral.Durable;
        return Errno.Ok;
    }

    public Errno MakeDurable() => OnMakeDurable!();

    /// <summary>One step of a truncation; true while something is left. Null: a truncation is done at once.</summary>
    public Func<NodeId, bool>? OnTruncate { get; set; }

    public Action? WorkLeft { get; set; }

    public Action? NamesLeft { get; set; }

    /// <summary>Names that the kernel is to drop, and where they were.</summary>
    public Queue<(NodeId Directory, byte[] Name)> Gone { get; } = [];

    public bool TryTakeName(Span<byte> name, out NodeId directory, out int length)
    {
        lock (Gone)
        {
            (directory, length) = (default, 0);
            if (!Gone.TryDequeue(out var gone)) return false;
            gone.Name.CopyTo(name);
            (directory, length) = (gone.Directory, gone.Name.Length);
            return true;
        }
    }

    public bool DropSome() => false;

    public bool DropSome(in Deferral deferral) => OnTruncate!(deferral.Node);

    public Errno Conclude(in Deferral deferral, out FuseAttrOut attributes) => GetAttributes(deferral.Node, out attributes);

    public Errno Allocate(in Caller caller, NodeId node, ulong handle, ulong offset, ulong length, uint mode,
        out Deferral deferral)
    {
        deferral = default;
        Note($"fallocate {node.Value} {handle} {offset} {length} {mode}");
        lock (_lock)
        {
            if (Find(node.Value, out var found) is not Errno.Ok and var error) return error;
            if (mode != 0 && offset < (ulong)found.Data.Length)
                found.Data.AsSpan((int)offset, (int)Math.Min(length, (ulong)found.Data.Length - offset)).Clear();
            return Errno.Ok;
        }
    }

    public Errno Seek(NodeId node, ulong handle, ulong offset, uint whence, out ulong found)
    {
        Note($"seek {node.Value} {handle} {offset} {whence}");
        found = offset;
        return Errno.Ok;
    }
}
