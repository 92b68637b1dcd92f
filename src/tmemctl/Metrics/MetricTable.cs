using Tmem.Control.Messages;
using static Tmem.Ctl.Metrics.MetricType;

namespace Tmem.Ctl.Metrics;

/// <summary>All metrics, in the order in which they are printed. docs/monitoring.md has the same table.</summary>
internal static class MetricTable
{
    /// <summary>The one that is there without a daemon too: 0 then.</summary>
    public const string Up = "tmem_up";

    public const string UpHelp = "Whether the daemon answers.";

    public static IReadOnlyList<Metric> All { get; } =
    [
        One(Up, Gauge, UpHelp, _ => 1),
        new("tmem_build_info", Gauge, "1, with the version of the worker and the commit that it was built from as labels.",
            now => [new(1, ("version", now.Status.Version), ("revision", now.Status.Commit ?? ""))]),
        One("tmem_start_time_seconds", Gauge,
            "When the daemon was started, since the epoch; deaths of its worker change nothing.",
            now => now.Status.StartedAt.ToUnixTimeMilliseconds() / 1000.0),
        One("tmem_session_threads", Gauge, "Threads that serve requests.", now => now.Status.Threads),
        One("tmem_protected", Gauge, "Whether a keeper watches; without one, the death of the worker loses the mount.",
            now => One(now.Status.Processes.KeeperPid != 0)),
        One("tmem_standby_ready", Gauge, "Whether a worker stands by to replace the one that serves.",
            now => One(now.Status.Processes.StandbyPid != 0)),
        One("tmem_swap_dangerous", Gauge, "Whether swapping to the daemon is dangerous; its status says why.",
            now => One(now.Status.Processes.SwapDanger is not null)),
        One("tmem_worker_restarts_total", Counter, "Workers that died and were replaced.", now => now.Status.Processes.Restarts),
        One("tmem_daemon_revivals_total", Counter,
            "How often all processes had died, and a supervisor started the daemon again with what it had kept.",
            now => now.Status.Processes.Revivals),
        One("tmem_worker_upgrades_total", Counter, "Workers that were replaced on purpose.",
            now => now.Status.Processes.Upgrades),
        Process("tmem_process_resident_memory_bytes", Gauge,
            "Real memory of a process of the daemon; the store, which all have mapped, counts in each.",
            process => process.ResidentBytes),
        Process("tmem_process_own_memory_bytes", Gauge, "Real memory that a process of the daemon shares with no other.",
            process => process.OwnBytes),
        Process("tmem_process_locked_memory_bytes", Gauge, "Locked mappings of a process of the daemon.",
            process => process.LockedBytes),
        Process("tmem_process_cpu_seconds_total", Counter, "Processor time of a process of the daemon.",
            process => process.ProcessorSeconds),

        One("tmem_capacity_bytes", Gauge, "The limit on the store's real memory, metadata included.",
            now => now.Status.Store.CapacityBytes),
        One("tmem_memory_used_bytes", Gauge, "Real memory of the store, metadata included.", now => now.Status.Store.UsedBytes),
        One("tmem_memory_peak_bytes", Gauge, "The most that it has been.", now => now.Status.Store.PeakUsedBytes),
        One("tmem_memory_metadata_bytes", Gauge, "Of the memory in use: what is no page.",
            now => now.Status.Store.MetadataBytes),
        One("tmem_memory_slack_bytes", Gauge, "Of the memory in use: slots that stand empty between others.",
            now => now.Status.Store.SlackBytes),
        One("tmem_memory_working_bytes", Gauge, "Memory for pages in flight, beside the store.",
            now => now.Status.Store.WorkingBytes),
        One("tmem_memory_reserved_bytes", Gauge, "Memory that pools are guaranteed.", now => now.Status.Store.ReservedBytes),
        One("tmem_memory_reserve_excess_bytes", Gauge, "By how much the reserves exceed the capacity.",
            now => now.Status.Store.ExcessReserveBytes),
        One("tmem_slots_moved_total", Counter, "Slots moved to close holes.", now => now.Status.Store.SlotsMoved),

        One("tmem_recompression_processor_seconds_total", Counter, "Processor time that recompression has used.",
            now => now.Status.Store.Recompression.ProcessorSeconds),
        One("tmem_recompression_won_bytes_total", Counter, "Memory of pages that recompression has won.",
            now => now.Status.Total.RecompressionBytes),
        One("tmem_dictionaries", Gauge, "Dictionaries of the store.", now => now.Status.Store.Recompression.Dictionaries.Count),
        One("tmem_dictionary_bytes", Gauge, "Memory that they take, of the memory in use.",
            now => now.Status.Store.Recompression.Dictionaries.Sum(one => one.Bytes)),

        Region("tmem_region_syncs_total", Counter, "How often the region's file was made durable.", file => file.Checkpoints),
        Region("tmem_region_sync_failures_total", Counter, "How often that failed.", file => file.Failures),
        Region("tmem_region_sync_failing", Gauge, "Whether the last time failed.", file => One(file.LastFailed)),
        Region("tmem_region_behind_bytes", Gauge, "What the region's file lacks and the next sync writes, as of the last one.",
            file => file.BytesBehind),
        Region("tmem_region_file_removed", Gauge, "Whether the region's file has been removed or replaced.",
            file => One(file.FileRemoved)),
        Region("tmem_region_longest_standstill_seconds", Gauge, "The longest that a sync has held up the store.",
            file => file.LongestStandstillMicroseconds / 1e6),

        One("tmem_pools", Gauge, "Pools.", now => now.Status.Pools),
        One("tmem_puts_total", Counter, "Puts that stored their page, over all pools that there were.",
            now => now.Status.Total.PutsStored),
        Causes("tmem_puts_refused_total", "Puts that were refused, by why, over all pools that there were.",
            now => Refused(now.Status.Total)),
        Causes("tmem_gets_total", "Gets, by whether they found a page, over all pools that there were.",
            now => Found(now.Status.Total)),
        Causes("tmem_evictions_total", "Ephemeral pages evicted, by why, over all pools that there were.",
            now => Evicted(now.Status.Total)),
        One("tmem_pages_flushed_total", Counter, "Pages removed by their owners, over all pools that there were.",
            now => now.Status.Total.PageFlushesFound + now.Status.Total.PagesFlushed),
        One("tmem_corrupt_pages_total", Counter, "Operations that met a damaged page, over all pools that there were.",
            now => now.Status.Total.CorruptPages),

        new("tmem_pool_info", Gauge, "1, with the kind of a pool as a label.",
            now => Pools(now, pool => [new(1, ("kind", pool.Kind))])),
        Pool("tmem_pool_memory_bytes", Gauge, "Real memory of a pool's pages, index, names and attributes.",
            pool => pool.Figures.SlotBytes + pool.Figures.IndexBytes + pool.Figures.RecordBytes),
        Pool("tmem_pool_limit_bytes", Gauge, "The limit of a pool's memory; 0: none of its own.", pool => pool.LimitBytes),
        Pool("tmem_pool_reserve_bytes", Gauge, "Memory that a pool is guaranteed; 0: none.", pool => pool.ReserveBytes),
        Pool("tmem_pool_pages", Gauge, "Pages stored in a pool.", pool => pool.Figures.Pages),
        Pool("tmem_pool_original_bytes", Gauge, "The size of a pool's pages, unpacked.", pool => pool.Figures.OriginalBytes),
        Pool("tmem_pool_compressed_bytes", Gauge, "The size of a pool's pages, packed.", pool => pool.Figures.CompressedBytes),
        Pool("tmem_pool_same_filled_pages", Gauge, "Pages of a pool whose words are all equal: they take no slot.",
            pool => pool.Figures.SameFilledPages),
        Pool("tmem_pool_raw_pages", Gauge, "Pages of a pool that do not shrink.", pool => pool.Figures.RawPages),
        Pool("tmem_pool_zstd_pages", Gauge, "Pages of a pool stored as Zstandard.", pool => pool.Figures.ZstdPages),
        Pool("tmem_pool_recompressed_pages", Gauge, "Pages of a pool stored as Zstandard with a dictionary.",
            pool => pool.Figures.DictionaryPages),
        Pool("tmem_pool_recompressed_bytes", Gauge, "The size of these, packed.", pool => pool.Figures.DictionaryBytes),
        Pool("tmem_pool_puts_total", Counter, "Puts that stored their page in a pool.", pool => pool.Figures.PutsStored),
        PoolCauses("tmem_pool_puts_refused_total", "Puts that a pool refused, by why.", pool => Refused(pool.Figures)),
        PoolCauses("tmem_pool_gets_total", "Gets in a pool, by whether they found a page.", pool => Found(pool.Figures)),
        PoolCauses("tmem_pool_evictions_total", "Ephemeral pages evicted from a pool, by why.", pool => Evicted(pool.Figures)),
        Pool("tmem_pool_corrupt_pages_total", Counter, "Operations that met a damaged page of a pool.",
            pool => pool.Figures.CorruptPages),

        Swap("tmem_swap_size_bytes", "The size of a swap device on the store.", device => device.SizeBytes),
        Swap("tmem_swap_used_bytes", "How much is swapped to it.", device => device.UsedBytes),

        new("tmem_request_duration_seconds", Histogram,
            "How long requests of the file system took, by kind, from when one could be read to its answer.", _ => [])
        {
            Distributions = now => now.Reply.Requests.Select(requests => new Distribution(("kind", requests.Kind),
                Bounds(requests.Counts.Count), requests.Counts, requests.Nanoseconds / 1e9)),
        },
    ];

    /// <summary>The bounds of a histogram of so many buckets: powers of two of a microsecond, in seconds.</summary>
    public static double[] Bounds(int buckets) =>
        [.. Enumerable.Range(0, Math.Max(buckets - 1, 0)).Select(bucket => (1L << bucket) / 1e6)];

    private static Metric One(string name, MetricType type, string help, Func<Snapshot, double> value) =>
        new(name, type, help, now => [new(value(now))]);

    private static Metric Process(string name, MetricType type, string help, Func<DaemonProcess, double> value) =>
        new(name, type, help, now => now.Processes.Select(process => new Sample(value(process), ("role", process.Role))));

    /// <summary>Only of a store with a file.</summary>
    private static Metric Region(string name, MetricType type, string help, Func<DurabilityFigures, double> value) =>
        new(name, type, help,
            now => now.Status.Store.Durability is { Tracking: not "none" } file ? [new(value(file))] : []);

    private static Metric Causes(string name, string help, Func<Snapshot, IEnumerable<Sample>> samples) =>
        new(name, Counter, help, samples);

    private static Metric Pool(string name, MetricType type, string help, Func<PoolReply, double> value) =>
        new(name, type, help, now => Pools(now, pool => [new(value(pool))]));

    private static Metric PoolCauses(string name, string help, Func<PoolReply, IEnumerable<Sample>> samples) =>
        new(name, Counter, help, now => Pools(now, samples));

    private static Metric Swap(string name, string help, Func<SwapDevice, double> value) =>
        new(name, Gauge, help, now => now.Swap.Select(device =>
            new Sample(value(device), ("device", device.Device), ("pool", device.Pool))));

    /// <summary>Each pool's samples with its name in front.</summary>
    private static IEnumerable<Sample> Pools(Snapshot now, Func<PoolReply, IEnumerable<Sample>> samples)
    {
        for (var at = 0; at < now.Reply.Pools.Count; at++)
            foreach (var sample in samples(now.Reply.Pools[at]))
                yield return sample with { Labels = [("pool", now.Names[at]), .. sample.Labels] };
    }

    private static Sample[] Refused(PoolFigures figures) =>
    [
        new(figures.PutsNoRoom, ("cause", "no_room")), new(figures.PutsReserved, ("cause", "reserved")),
        new(figures.PutsPoolLimit, ("cause", "pool_limit")), new(figures.PutsClientLimit, ("cause", "client_limit")),
        new(figures.PutsFrozen, ("cause", "frozen")), new(figures.PutsIncompressible, ("cause", "incompressible")),
    ];

    private static Sample[] Found(PoolFigures figures) =>
        [new(figures.GetHits, ("outcome", "hit")), new(figures.GetMisses, ("outcome", "miss"))];

    private static Sample[] Evicted(PoolFigures figures) =>
    [
        new(figures.Evictions - figures.EvictionsPoolLimit - figures.EvictionsClientLimit, ("cause", "full")),
        new(figures.EvictionsPoolLimit, ("cause", "pool_limit")),
        new(figures.EvictionsClientLimit, ("cause", "client_limit")),
    ];

    private static double One(bool holds) => holds ? 1 : 0;
}
