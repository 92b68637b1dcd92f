using Microsoft.Win32.SafeHandles;

namespace Tmem.Engine;

/// <summary>How to make or find the region.</summary>
public sealed record EngineOptions
{
    /// <summary>
    /// Most real memory the store may use, metadata included, in bytes. At least <see cref="MinimumCapacity"/>.
    /// </summary>
    public required long CapacityBytes { get; init; }

    /// <summary>
    /// The highest capacity this region can ever be given, in bytes: what address space (and, sparsely, file length) is reserved.
    /// Taken when the region is made; 0 is four times <see cref="CapacityBytes"/>.
    /// </summary>
    public long MaximumCapacityBytes { get; init; }

    /// <summary>
    /// The file that holds the region's image; null for none. The region itself always lies in memory: the image is read when the
    /// engine is opened and written by <see cref="TmemEngine.Sync"/>, so that it is consistent at any moment.
    /// </summary>
    public string? RegionPath { get; init; }

    /// <summary>
    /// The region's file, open for reading and writing (for reading, if <see cref="ReadOnly"/>): for a file that has no name, or
    /// that only somebody else may open. The engine opens it anew and locks it, for which the handle gives up its own lock if it
    /// has one; it stays the caller's and may be closed. <see cref="RegionPath"/>, if given, is then only what messages call it.
    /// </summary>
    public SafeFileHandle? RegionHandle { get; init; }

    /// <summary>
    /// The same file, opened and locked by somebody else; -1 for none. It then belongs to the engine, and the path is only what
    /// it is called.
    /// </summary>
    internal int RegionFileDescriptor { get; init; } = -1;

    /// <summary>
    /// An open descriptor of the memory (a memfd) to map; -1 to make it. It then belongs to the engine. If it holds a region,
    /// that is attached to, and the image of a file named as well is taken for an older state of it.
    /// </summary>
    internal int RegionDescriptor { get; init; } = -1;

    /// <summary>
    /// The longest that a change may wait before it is made durable in the region's file, which is what a power cut can lose.
    /// Zero: until somebody calls <see cref="TmemEngine.Sync"/>.
    /// </summary>
    public TimeSpan SyncInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Is told what whoever is responsible for the store should hear of: options that the region contradicts, a file that cannot
    /// be written, and when it can again. From the thread that opens, or one of the engine's own, which waits for it; it must not
    /// throw, nor call the engine.
    /// </summary>
    public Action<TmemNotice>? Notice { get; init; }

    /// <summary>
    /// Only read <see cref="RegionPath"/>: what it holds is copied to memory, and what changes there afterwards is nobody's. To
    /// look at a store, or to take out of it what is left. A file that a process has open to write is refused, and the capacity
    /// given does not count.
    /// </summary>
    public bool ReadOnly { get; init; }

    /// <summary>
    /// What the store is called in its metrics (docs/embedding.md): the tag <c>store</c> of each instrument of the meter
    /// <c>Tmem.Engine</c>. Null: it has no meter.
    /// </summary>
    public string? MeterName { get; init; }

    /// <summary>Lock the region's pages in memory as they are populated.</summary>
    public bool LockMemory { get; init; }

    /// <summary>
    /// When the region is damaged: drop exactly what is (a page whose bytes fail their checksum, what a broken node or object led
    /// to) and serve the rest, instead of refusing it. Every page is read, which takes some 2 s a million.
    /// <see cref="TmemEngine.Dropped"/> says what went.
    /// </summary>
    public bool DropDamaged { get; init; }

    /// <summary>
    /// Keep the store dense from a thread of the engine's own, which wakes twice a second and works only where flushes have left
    /// holes. Without it, <see cref="TmemEngine.Compact"/> is the embedder's to call.
    /// </summary>
    public bool CompactInBackground { get; init; } = true;

    /// <summary>
    /// Have the system hold the region's full parts in pages of 2 MiB, made from the thread that compacts, a few each second
    /// while the system has memory to spare: reads of a large store take less time, and it is mapped and unmapped in a fiftieth.
    /// Whoever needs the part that is being made waits some milliseconds. For a region in a memfd without a file
    /// (<see cref="RegionDescriptor"/>), Linux 6.1; elsewhere without effect.
    /// </summary>
    internal bool HugePages { get; init; }

    /// <summary>
    /// What new pages of all pools are compressed with, whatever codec a pool was made with; null for each pool's own. Pages that
    /// are there stay as they are until they are written again.
    /// </summary>
    public TmemCodec? NewPagesCodec { get; init; }

    /// <summary>
    /// The memory is known to be the region that the file is the image of, because a process that had both has ended: the file is
    /// made anew from memory, whatever has become of it.
    /// </summary>
    internal bool IsSuccessor { get; init; }

    /// <summary>
    /// The address of a word that outlives the process, where the peak of the memory in use is kept from one process
    /// that serves the region to the next; 0 for none.
    /// </summary>
    internal nint PeakWord { get; init; }

    /// <summary>For tests: what stands between durability and the disk.</summary>
    internal Durability.IImageFile? ImageFile { get; init; }

    /// <summary>For tests: do as on a kernel that cannot tell which pages were written.</summary>
    internal bool WithoutWriteTracking { get; init; }

    /// <summary>The smallest capacity: 1 MiB.</summary>
    public const long MinimumCapacity = 1 << 20;
}
