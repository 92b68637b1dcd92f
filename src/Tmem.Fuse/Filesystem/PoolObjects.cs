using Tmem.Engine;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Checks whether each pool holds as many objects as there are files with pages. Files change while they are counted, so only a
/// pool whose contents did not change meanwhile is compared; one that is always busy is skipped.
/// </summary>
internal sealed class PoolObjects(TmemClient client)
{
    private readonly PoolStatistics[] _before = new PoolStatistics[PoolTable.Places];
    private readonly uint[] _pools = new uint[PoolTable.Places];
    private readonly long[] _files = new long[PoolTable.Places];

    public void Begin()
    {
        foreach (var id in client.Pools())
        {
            if (client.PoolInfo(id, out var info) != TmemStatus.Ok) continue;
            _pools[id.Value % PoolTable.Places] = id.Value;
            _before[id.Value % PoolTable.Places] = info!.Statistics;
        }
    }

    /// <summary>Counts a file of the pool that has pages.</summary>
    public void Count(PoolId pool) => _files[pool.Value % PoolTable.Places]++;

    public void Compare(Action<string> report)
    {
        foreach (var id in client.Pools())
        {
            var place = id.Value % PoolTable.Places;
            if (_pools[place] != id.Value || client.PoolInfo(id, out var info) != TmemStatus.Ok) continue;
            var after = info!.Statistics;
            if (after.Objects != _files[place] && IsStill(_before[place], after)) report($"{id} holds objects that are no files");
        }
    }

    private static bool IsStill(in PoolStatistics before, in PoolStatistics after) =>
        before.Objects == after.Objects && before.PutsStored == after.PutsStored
            && before.PageFlushesFound == after.PageFlushesFound
        && before.ObjectFlushesFound == after.ObjectFlushesFound && before.Evictions == after.Evictions;
}
