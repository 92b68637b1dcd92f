namespace Tmem.Engine;

/// <summary>How to make or find the region.</summary>
public sealed record EngineOptions
{
    /// <summary>Most real memory the store may use, metadata included, in bytes. At least <see cref="MinimumCapacity"/>.</summary>
    public required long CapacityBytes { get; init; }

    /// <summary>
    /// The highest capacity this region can ever be given, in bytes: what address space (and, sparsely, file length) is reserved. Taken when
    /// the region is made; 0 is four times <see cref="CapacityBytes"/>.
    /// </summary>
    public long MaximumCapacityBytes { get; init; }

    /// <summary>The region's file; null for memory. With <see cref="RegionDescriptor"/> it is only what the region is called in messages.</summary>
    public string? RegionPath { get; init; }

    /// <summary>
    /// An open descriptor (of a memfd, or of a file that the caller has locked) to map instead of opening a path; -1 for none. It then belongs
    /// to the engine.
    /// </summary>
    public int RegionDescriptor { get; init; } = -1;

    /// <summary>Lock the region's pages in memory as they are populated.</summary>
    public bool LockMemory { get; init; }

    /// <summary>
    /// When the region is damaged: drop exactly what is (a page whose bytes fail their checksum, what a broken node or object led to) and
    /// serve the rest, instead of refusing it. Every page is read, which takes some 2 s a million. <see cref="TmemEngine.Dropped"/> says what went.
    /// </summary>
    public bool DropDamaged { get; init; }

    /// <summary>
    /// Keep the store dense from a thread of the engine's own, which wakes twice a second and works only where flushes have left holes. Without
    /// it, <see cref="TmemEngine.Compact"/> is the embedder's to call.
    /// </summary>
    public bool CompactInBackground { get; init; } = true;

    /// <summary>The smallest capacity: 1 MiB.</summary>
    public const long MinimumCapacity = 1 << 20;
}
