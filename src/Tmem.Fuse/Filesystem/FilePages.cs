using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// A file as the engine sees it: an object whose id is the inode's reference and generation, so that no two files of a region
/// ever share one, and whose page n holds the bytes from 4096 n on.
/// </summary>
internal readonly struct FilePages
{
    public const int PageSize = 4096;
    public const int PageShift = 12;

    public const ulong MaximumPages = 1UL << 32;

    /// <summary>The largest file: 16 TiB.</summary>
    public const ulong MaximumSize = MaximumPages << PageShift;

    private readonly TmemClient _client;
    private readonly PoolId _pool;
    private readonly ObjectId _object;

    public FilePages(TmemClient client, RecordRef file, in InodeRecord inode)
    {
        _client = client;
        _pool = new PoolId(inode.Pool);
        _object = ObjectOf(file, in inode);
        IsEphemeral = inode.IsEphemeral;
    }

    /// <summary>The id of the file's object in its pool: never the same for two files.</summary>
    public static ObjectId ObjectOf(RecordRef file, in InodeRecord inode) => new(file.Value, inode.Generation, 0);

    public bool IsEphemeral { get; }

    public uint Pool => _pool.Value;

    public TmemStatus Get(uint page, Span<byte> destination) => _client.Get(_pool, _object, page, destination);

    /// <summary>Most pages of one <see cref="GetRun"/>.</summary>
    public const int LongestRun = 64;

    /// <summary>
    /// Gets consecutive pages; missing and damaged ones are zeros in the buffer. Ok if all are stored, else Corrupt if one is
    /// damaged, else Miss.
    /// </summary>
    [SkipLocalsInit]
    public TmemStatus GetRun(uint first, Span<byte> pages)
    {
        Span<TmemStatus> outcomes = stackalloc TmemStatus[LongestRun];
        return _client.GetRange(_pool, _object, first, pages, outcomes[..(pages.Length >> PageShift)]);
    }

    /// <summary>
    /// Stores a page. Without room a persistent file keeps the old page; an ephemeral file may lose it, as it may lose any page.
    /// </summary>
    public TmemStatus Store(uint page, ReadOnlySpan<byte> source) => IsEphemeral
        ? _client.Put(_pool, _object, page, source)
        : _client.Replace(_pool, _object, page, source);

    public TmemStatus Flush(uint page) => Found(_client.FlushPage(_pool, _object, page));

    public TmemStatus FlushRange(uint first, uint last) => Found(_client.FlushRange(_pool, _object, first, last, out _));

    public TmemStatus FlushAll() => Found(_client.FlushObject(_pool, _object));

    /// <summary>The first stored page at or after this one; Miss if there is none.</summary>
    public TmemStatus Next(uint from, out uint found) => _client.NextPage(_pool, _object, from, out found);

    /// <summary>The first page at or after this one that is not stored; Miss if that many nodes of 64 pages have none.</summary>
    public TmemStatus NextHole(uint from, int nodes, out ulong found) => _client.NextHole(_pool, _object, from, nodes, out found);

    /// <summary>
    /// Flushes stored pages in a bounded part of the range from <paramref name="next"/> to before <paramref name="end"/>. False
    /// if nothing is left to flush; else <paramref name="next"/> is where to continue.
    /// </summary>
    public bool FlushSome(ref ulong next, ulong end, uint most)
    {
        // NoSuchPool: the pages are gone with the pool.
        if (next >= end || Next((uint)next, out var first) != TmemStatus.Ok || first >= end) return false;
        var last = Math.Min((ulong)first + most, end) - 1;
        if (FlushRange(first, (uint)last) != TmemStatus.Ok) return false;
        next = last + 1;
        return true;
    }

    /// <summary>Pages stored; 0 if the pool is gone.</summary>
    public long Count() => _client.CountPages(_pool, _object, out var pages) == TmemStatus.Ok ? pages : 0;

    /// <summary>Flushing a page that is not stored is not a failure here.</summary>
    private static TmemStatus Found(TmemStatus status) => status == TmemStatus.Miss ? TmemStatus.Ok : status;
}
