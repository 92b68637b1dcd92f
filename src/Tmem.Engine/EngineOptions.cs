using Microsoft.Win32.SafeHandles;

namespace Tmem.Engine;

/// <summary>How to create or find the region.</summary>
public sealed record EngineOptions
{
    /// <summary>
    /// The most real memory the store may use, metadata included, in bytes. At least <see cref="MinimumCapacity"/>.
    /// </summary>
    public required long CapacityBytes { get; init; }

    /// <summary>
    /// The highest capacity this region can ever be given, in bytes: the address space (and, sparsely, file length) to reserve.
    /// Read when the region is created; 0 is four times <see cref="CapacityBytes"/>.
    /// </summary>
    public long MaximumCapacityBytes { get; init; }

    /// <summary>
    /// The file that holds the region's image; null for none. The region itself always lies in memory: the engine reads the image
    /// when it is opened, and <see cref="TmemEngine.Sync"/> writes it, so that it is consistent at any moment.
    /// </summary>
    public string? RegionPath { get; init; }

    /// <summary>
    /// The region's file, open for reading and writing (for reading, if <see cref="ReadOnly"/>): for a file without a name, or
    /// one that only another process may open. The engine opens it anew and locks it, for which it releases the handle's own
    /// lock, if any; the handle stays the caller's and may be closed. <see cref="RegionPath"/>, if given, then only names it in
    /// messages.
    /// </summary>
    public SafeFileHandle? RegionHandle { get; init; }

    /// <summary>
    /// The same file, opened and locked by another process; -1 for none. It then belongs to the engine, and the path only names
    /// it.
    /// </summary>
    internal int RegionFileDescriptor { get; init; } = -1;

    /// <summary>
    /// An open descriptor of the memory (a memfd) to map; -1 to create it. It then belongs to the engine. If it holds a region,
    /// the engine attaches to that, and takes the image in a file named as well for an older state of it.
    /// </summary>
    internal int RegionDescriptor { get; init; } = -1;

    /// <summary>
    /// The longest that a change may wait before it is made durable in the region's file: what a power cut can lose. Zero: only
    /// <see cref="TmemEngine.Sync"/> makes changes durable.
    /// </summary>
    public TimeSpan SyncInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Receives what the store's administrator should know: options that the region contradicts, a file that cannot be written,
    /// and when it can again. Called by the opening thread or one of the engine's own, which waits for it; it must not throw, nor
    /// call the engine.
    /// </summary>
    public Action<TmemNotice>? Notice { get; init; }

    /// <summary>
    /// Only read <see cref="RegionPath"/>: the engine copies its contents to memory, and discards later changes. For inspecting a
    /// store, or recovering what is left of one. A file that a process has open for writing is refused, and the given capacity is
    /// ignored.
    /// </summary>
    public bool ReadOnly { get; init; }

    /// <summary>
    /// The store's name in its metrics (docs/embedding.md): the tag <c>store</c> of each instrument of the meter
    /// <c>Tmem.Engine</c>. Null for no meter.
    /// </summary>
    public string? MeterName { get; init; }

    /// <summary>Lock the region's pages in memory as they are populated.</summary>
    public bool LockMemory { get; init; }

    /// <summary>
    /// If the region is damaged: drop exactly what is (a page whose bytes fail their checksum, what a broken node or object led
    /// to) and serve the rest, instead of refusing the region. Reads every page, about 2 s a million.
    /// <see cref="TmemEngine.Dropped"/> lists what was dropped.
    /// </summary>
    public bool DropDamaged { get; init; }

    /// <summary>
    /// Keep the store dense from a thread of the engine's own, which wakes twice a second and works only where flushes have left
    /// holes. Without it, the embedder calls <see cref="TmemEngine.Compact"/>.
    /// </summary>
    public bool CompactInBackground { get; init; } = true;

    /// <summary>
    /// Store pages that nobody has used for a while anew, with Zstandard and a dictionary trained on the pool's pages: a third
    /// less memory for pages of real memory, 5 us more for a get of such a page. A thread of the engine's own does it, with
    /// <see cref="RecompressionShare"/> of a processor. The region is then refused by programs that do not know dictionaries.
    /// </summary>
    public bool RecompressInBackground { get; init; }

    /// <summary>
    /// The level of Zstandard for that, 1 to 19. The default is where search gets lazy: a tenth smaller than level 3 at three
    /// times the work; 15 is 8 % smaller again, at ten times that.
    /// </summary>
    public int RecompressionLevel { get; init; } = Recompress.RecompressionSettings.DefaultLevel;

    /// <summary>
    /// The part of one processor that recompression may use, 0.001 to 1. It uses less while other programs wait for processors,
    /// and a whole one while less than a sixteenth of the store is left.
    /// </summary>
    public double RecompressionShare { get; init; } = 0.05;

    /// <summary>For tests: the recompressor works only when it is told to.</summary>
    internal bool RecompressesWhenAsked { get; init; }

    internal bool Recompresses => RecompressInBackground || RecompressesWhenAsked;

    /// <summary>For tests: everything else about it.</summary>
    internal Recompress.RecompressionSettings Recompression { get; init; } = new();

    /// <summary>
    /// Have the kernel hold the region's full parts in pages of 2 MiB. The compacting thread makes a few each second while the
    /// system has memory to spare: reads of a large store take less time, and mapping and unmapping it take a fiftieth. A thread
    /// that touches the part being made waits some milliseconds. For a region in a memfd without a file
    /// (<see cref="RegionDescriptor"/>), Linux 6.1; no effect elsewhere.
    /// </summary>
    internal bool HugePages { get; init; }

    /// <summary>
    /// The codec for new pages of all pools, whatever codec a pool was created with; null for each pool's own. Stored pages stay
    /// as they are until they are written again.
    /// </summary>
    public TmemCodec? NewPagesCodec { get; init; }

    /// <summary>
    /// The memory is known to be the region of the file's image, because a process that had both has ended: the engine writes the
    /// file anew from memory, whatever its state.
    /// </summary>
    internal bool IsSuccessor { get; init; }

    /// <summary>
    /// The address of a word that outlives the process and passes the peak of memory in use from one serving process to the next;
    /// 0 for none.
    /// </summary>
    internal nint PeakWord { get; init; }

    /// <summary>For tests: replaces the image's file.</summary>
    internal Durability.IImageFile? ImageFile { get; init; }

    /// <summary>For tests: behave as on a kernel that cannot tell which pages were written.</summary>
    internal bool WithoutWriteTracking { get; init; }

    /// <summary>The smallest capacity: 1 MiB.</summary>
    public const long MinimumCapacity = 1 << 20;
}
