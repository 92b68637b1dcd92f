using Tmem.Engine;
using Tmem.Fuse.Abi;

namespace Tmem.Fuse.Filesystem;

/// <summary>The room left in the store, or within a pool's limit where that is narrower.</summary>
internal sealed class StoreRoom(TmemEngine engine, TmemClient client)
{
    /// <summary>Rough metadata bytes of a small file: how many more files statfs promises.</summary>
    private const ulong BytesPerFile = 512;

    /// <summary>For statfs. The block is a page: discards come in this unit.</summary>
    public FuseKstatfs Figures(PoolId pool, long inodes)
    {
        var (capacity, used) = engine.Room();
        var free = Math.Max(0, capacity - used - engine.ReservedForOthers(pool));
        if (client.PoolInfo(pool, out var info) == TmemStatus.Ok && info is { Options.LimitBytes: > 0 and var limit })
        {
            capacity = Math.Min(capacity, limit);
            var taken = info.Statistics.SlotBytes + info.Statistics.IndexBytes + info.Statistics.RecordBytes;
            free = Math.Min(free, Math.Max(0, limit - taken));
        }
        var figures = default(FuseKstatfs);
        figures.Bsize = figures.Frsize = FilePages.PageSize;
        figures.Blocks = (ulong)capacity / FilePages.PageSize;
        figures.Bfree = figures.Bavail = (ulong)free / FilePages.PageSize;
        figures.Ffree = (ulong)free / BytesPerFile;
        figures.Files = (ulong)inodes + figures.Ffree;
        figures.NameLength = DirectoryIndex.MaximumName;
        return figures;
    }

    /// <summary>
    /// Whether so many bytes could be stored if they compressed as well as pages can: all bytes alike, a word in the index each.
    /// Otherwise a program that asks for room before it writes is refused at once.
    /// </summary>
    public bool CanEverFit(PoolId pool, ulong length)
    {
        var most = engine.Room().Capacity;
        if (client.PoolInfo(pool, out var info) == TmemStatus.Ok && info is { Options.LimitBytes: > 0 and var limit })
            most = Math.Min(most, limit);
        if (client.Info().Options.LimitBytes is > 0 and var granted) most = Math.Min(most, granted);
        return length / FilePages.PageSize <= (ulong)most / sizeof(ulong);
    }
}
