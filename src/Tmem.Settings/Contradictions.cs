using Tmem.Control.Messages;
using Tmem.Settings.Keys;

namespace Tmem.Settings;

/// <summary>Values that are possible one by one and cannot hold together: each fault names both places.</summary>
internal sealed class Contradictions(List<Fault> faults, IReadOnlySet<SettingKey> wrong)
{
    public void Find(StoreSettings store, IReadOnlyList<SwapSettings> swaps, IReadOnlyList<PoolSettings> pools)
    {
        if (store.HugePages.Value && store.Region.Value.Length > 0)
            Add(store.HugePages.From, "huge-pages", $"it is for a store without a file, and region is set ({store.Region.From})",
                "leave one of them out");
        foreach (var (key, path) in ((string, Setting<string>)[])[("region", store.Region), ("socket", store.Socket)])
            if (path.Value.StartsWith(store.Mount.Value.TrimEnd('/') + "/", StringComparison.Ordinal))
                Add(path.From == Origin.Default ? store.Mount.From : path.From, key,
                    $"'{Fault.Shorten(path.Value)}' lies below the mount ({store.Mount.From}), where nobody would find it",
                    "write a place outside");
        foreach (var pool in pools) Find(pool);
        if (pools.Count > ControlProtocol.MaximumPools)
            Add(pools[ControlProtocol.MaximumPools].Name.From, "name", $"pool "
                + $"'{Fault.Shorten(pools[ControlProtocol.MaximumPools].Name.Value)}' is the first of "
                + $"{pools.Count - ControlProtocol.MaximumPools} for which no store has a place", "write at most "
                + $"{ControlProtocol.MaximumPools} pools");
        FindReserves(store.Capacity, pools);
        foreach (var swap in swaps) FindSwap(store.Capacity, swap, pools);
        if (swaps is [{ IsNamed: false } single, ..]
            && swaps.FirstOrDefault(swap => swap.IsNamed && swap.Pool.Value == single.Pool.Value) is { } same)
            Add(same.Pool.From, "pool", $"'{Fault.Shorten(same.Pool.Value)}' is the device of [swap] too ({Place(single)})",
                "write its keys in one place, or name another pool");
    }

    private void Find(PoolSettings pool)
    {
        var name = $"pool '{Fault.Shorten(pool.Name.Value)}'";
        if (pool.Reserve.Value > 0 && pool.Ephemeral.Value)
            Add(pool.Reserve.From, "reserve", $"{name} is ephemeral ({pool.Ephemeral.From}): its pages may go at any time",
                "reserve for a persistent pool");
        if (pool.Limit.Value > 0 && pool.Reserve.Value > pool.Limit.Value)
            Add(pool.Reserve.From, "reserve", $"{ByteSize.Format(pool.Reserve.Value)} for {name} is above its limit of "
                + $"{ByteSize.Format(pool.Limit.Value)} ({pool.Limit.From})", "reserve no more than the limit");
    }

    private void FindReserves(Setting<long> capacity, IReadOnlyList<PoolSettings> pools)
    {
        if (IsWrong(KnownKeys.Store, "capacity")) return;
        long sum = 0;
        // One that is too large by itself has a fault of its own.
        foreach (var pool in pools.Where(pool => pool.Reserve.Value is > 0 and var reserve && reserve <= capacity.Value))
        {
            sum += pool.Reserve.Value;
            if (sum <= capacity.Value) continue;
            Add(pool.Reserve.From, "reserve", $"with that of pool '{Fault.Shorten(pool.Name.Value)}' the reserves are more than "
                + $"the {ByteSize.Format(capacity.Value)} of the store's capacity ({capacity.From})", "reserve less");
            return;
        }
    }

    private void FindSwap(Setting<long> capacity, SwapSettings swap, IReadOnlyList<PoolSettings> pools)
    {
        if (swap.Size.Value is { } size && !IsWrong(KnownKeys.Store, "capacity") && !IsWrong(KnownKeys.Swap, "size")
            && size / ControlProtocol.LikelyRatio > capacity.Value)
            Add(swap.Size.From, "size", $"{ByteSize.Format(size)} is more than {ControlProtocol.LikelyRatio} times the "
                + $"{ByteSize.Format(capacity.Value)} of the store's capacity ({capacity.From}): the store would be full long "
                + "before", $"write at most {ControlProtocol.LikelyRatio * 100}%, or auto");
        if (pools.FirstOrDefault(pool => pool.Name.Value == swap.Pool.Value) is not { } home || !swap.On.Value) return;
        if (home.Ephemeral.Value)
            Add(swap.Pool.From, "pool",
                $"pool '{Fault.Shorten(home.Name.Value)}' is ephemeral ({home.Ephemeral.From}): its pages "
                + "may vanish, so nothing can swap to it", "name a persistent pool");
        else if (home.Owner.Value != 0 || (home.Mode.Value & 0x3F) != 0)
            Add(swap.Pool.From, "pool", $"others may look into pool '{Fault.Shorten(home.Name.Value)}' ({home.Name.From})",
                "give it owner = \"root\" and mode = \"0700\", or name another pool");
    }

    private static Origin Place(SwapSettings swap) =>
        new[] { swap.Pool.From, swap.On.From, swap.Size.From, swap.Priority.From }.FirstOrDefault(from => from.File is not null);

    private bool IsWrong(string section, string name) => wrong.Contains(KnownKeys.Find(section, name)!);

    private void Add(Origin from, string key, string problem, string remedy) => faults.Add(new(from, key, problem, remedy));
}
