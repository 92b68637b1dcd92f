namespace Tmem.Settings;

/// <summary>
/// Settings that this version knows and cannot do yet: refused by everybody who reads them, so that nobody relies on what does
/// not hold. Whatever learns to do one of them takes its line away.
/// </summary>
internal static class NotYet
{
    private const int PageSize = 4096;

    public static void Find(IReadOnlyList<PoolSettings> pools, List<Fault> faults)
    {
        foreach (var pool in pools.Where(pool => pool.PageSize.Value != PageSize))
            faults.Add(new(pool.PageSize.From, "page-size", "pools of files have pages of 4K, the kernel's own: a "
                + "larger one would be unpacked and packed whole for each of them",
                "leave it out; programs that use the library choose it"));
    }
}
