using System.Buffers.Binary;
using System.IO.Hashing;

namespace Tmem.Ctl.Transfer;

/// <summary>
/// The stream of saved pools of files. Little-endian; a record is a kind and the length of what follows (32 bits each).
/// <code>
/// head       "TMEMTREE" : 64   version : 32   0 : 32
/// 1 pool     flags, codec, mode, owner, group : 32 each   limit, seconds : 64 each   nanoseconds : 32   name
/// 2 entry    mode, owner, group, major, minor : 32 each   link, size, seconds : 64 each   nanoseconds, name's length : 32 each
///            name, and the target of a symbolic link
/// 3 link     link : 64   name: another name of the entry with that number
/// 4 attribute  name's length : 32   name   value: of the entry or pool before it
/// 5 data     offset : 64   bytes: of the entry before it; what no record has is a hole, or a page that a cache had lost
/// 6 up       the end of a directory, or of the pool
/// 7 trailer  pools, entries, bytes before the trailer : 64 each   XXH3-64 of every byte before that sum
/// </code>
/// Records are in the order of a walk: a directory's entries follow it up to its "up". The stream ends with its trailer; what
/// follows is not read. Contents are not compressed: the stream goes through a compressor of the user's choice.
/// </summary>
internal static class TreeFormat
{
    /// <summary>"TMEMTREE".</summary>
    public const ulong Magic = 0x45455254_4D454D54;

    /// <summary>Raised whenever an older program could misread what a newer one wrote.</summary>
    public const uint Version = 1;

    /// <summary>Bytes of a file in one record.</summary>
    public const int Chunk = 1 << 20;

    /// <summary>The longest record: a chunk with its offset.</summary>
    public const int Longest = Chunk + 64;

    public const uint Ephemeral = 1, RefusesIncompressible = 2;
}

internal enum TreeRecord : uint
{
    Pool = 1,
    Entry = 2,
    Link = 3,
    Attribute = 4,
    Data = 5,
    Up = 6,
    Trailer = 7,
}

/// <summary>Why a save or a restore ended: a clause that names the thing, and what to do.</summary>
internal sealed class TransferException(string message, string remedy) : Exception(message)
{
    public string Remedy { get; } = remedy;
}

/// <summary>Writes records, their sum and their length.</summary>
internal sealed class TreeWriter(Stream stream)
{
    private readonly XxHash3 _sum = new();
    private byte[] _record = new byte[4096];
    private int _length;

    public long Position { get; private set; }

    public void Head()
    {
        Add(TreeFormat.Magic);
        Add(TreeFormat.Version);
        Add(0u);
        Write(_record.AsSpan(0, _length));
        _length = 0;
    }

    public TreeWriter Begin(TreeRecord kind)
    {
        _length = 0;
        Add((uint)kind);
        Add(0u);
        return this;
    }

    public TreeWriter Add(uint word)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Room(sizeof(uint)), word);
        return this;
    }

    public TreeWriter Add(ulong word)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(Room(sizeof(ulong)), word);
        return this;
    }

    public TreeWriter Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        return this;
    }

    /// <summary>Ends a record, with bytes behind it that are not copied.</summary>
    public void End(ReadOnlySpan<byte> more = default)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_record.AsSpan(4), (uint)(_length - 8 + more.Length));
        Write(_record.AsSpan(0, _length));
        Write(more);
    }

    /// <summary>The trailer.</summary>
    public void Finish(long pools, long entries)
    {
        var bytes = Position;
        Begin(TreeRecord.Trailer).Add((ulong)pools).Add((ulong)entries).Add((ulong)bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(_record.AsSpan(4), (uint)(_length - 8 + sizeof(ulong)));
        Write(_record.AsSpan(0, _length));
        Span<byte> sum = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(sum, _sum.GetCurrentHashAsUInt64());
        Write(sum);
        stream.Flush();
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        _sum.Append(bytes);
        stream.Write(bytes);
        Position += bytes.Length;
    }

    private Span<byte> Room(int bytes)
    {
        if (_length + bytes > _record.Length) Array.Resize(ref _record, Math.Max(2 * _record.Length, _length + bytes));
        _length += bytes;
        return _record.AsSpan(_length - bytes, bytes);
    }
}

/// <summary>Reads records; anything that no save writes is an error that names the byte.</summary>
internal sealed class TreeReader(Stream stream)
{
    private readonly XxHash3 _sum = new();
    private readonly byte[] _record = new byte[TreeFormat.Longest];
    private int _length;
    private int _at;
    private long _start;

    public long Position { get; private set; }

    public void Head()
    {
        Span<byte> head = stackalloc byte[16];
        Read(head, "its head");
        _sum.Append(head);
        if (BinaryPrimitives.ReadUInt64LittleEndian(head) != TreeFormat.Magic)
            throw new TransferException("this is no stream of saved pools: it begins as something else",
                "name what a save has written, unpacked");
        if (BinaryPrimitives.ReadUInt32LittleEndian(head[8..]) is var version and not TreeFormat.Version)
            throw new TransferException($"the stream is of version {version}, and this program restores version "
                + TreeFormat.Version, "use the program that can");
        if (BinaryPrimitives.ReadUInt32LittleEndian(head[12..]) != 0) throw Damaged();
    }

    public TreeRecord Next()
    {
        Span<byte> head = stackalloc byte[8];
        _start = Position;
        Read(head, "a record");
        _sum.Append(head);
        var kind = (TreeRecord)BinaryPrimitives.ReadUInt32LittleEndian(head);
        var length = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
        if (kind is < TreeRecord.Pool or > TreeRecord.Trailer || length > TreeFormat.Longest) throw Damaged();
        (_length, _at) = ((int)length, 0);
        Read(_record.AsSpan(0, _length), "a record");
        if (kind != TreeRecord.Trailer) _sum.Append(_record.AsSpan(0, _length));
        return kind;
    }

    public uint Word() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(sizeof(uint)));

    public ulong Long() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(sizeof(ulong)));

    public ReadOnlySpan<byte> Bytes(uint count)
    {
        if (count > _length - _at) throw Damaged();
        _at += (int)count;
        return _record.AsSpan(_at - (int)count, (int)count);
    }

    public ReadOnlySpan<byte> Rest() => Bytes((uint)(_length - _at));

    /// <summary>A name of a file: no path, and none of the two that every directory has.</summary>
    public byte[] Name(ReadOnlySpan<byte> bytes) =>
        bytes.Length is 0 or > 255 || bytes.IndexOfAny((byte)'/', (byte)0) >= 0 || bytes is [(byte)'.'] or [(byte)'.', (byte)'.']
            ? throw Damaged() : bytes.ToArray();

    /// <summary>Checks the trailer that was just read.</summary>
    public void Finish(long pools, long entries)
    {
        _sum.Append(_record.AsSpan(0, Math.Min(_length, 3 * sizeof(ulong))));
        if (Long() != (ulong)pools || Long() != (ulong)entries || Long() != (ulong)_start
            || Long() != _sum.GetCurrentHashAsUInt64() || _at != _length) throw Damaged();
    }

    public TransferException Damaged() => new($"the stream is damaged: what stands at byte {_start} is nothing that a save "
        + "writes, or its sum is wrong", "save again; nothing was restored");

    private void Read(Span<byte> bytes, string what)
    {
        var read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        Position += read;
        if (read < bytes.Length)
            throw new TransferException($"the stream is cut short: it ends at byte {Position}, within {what}",
                "save again; nothing was restored");
    }
}
