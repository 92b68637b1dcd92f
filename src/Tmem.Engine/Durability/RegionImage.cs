using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine.Region;

namespace Tmem.Engine.Durability;

/// <summary>
/// A region's image in a file, and how the two come together when an engine is opened: a new image is made of the region's superblock, an
/// old one is put right by its journal and read into memory. What then changes is tracked from the first store on.
/// </summary>
internal sealed unsafe class RegionImage : IDisposable
{
    private const int Piece = 1 << 20;

    private readonly IImageFile _file;
    private readonly bool _tracksWrites;
    private long _bytes;

    private RegionImage(IImageFile file, bool tracksWrites)
    {
        _file = file;
        _tracksWrites = tracksWrites;
    }

    public string Name => _file.Name;

    /// <summary>The first page of the image, once there is one.</summary>
    public Superblock Superblock { get; private set; }

    /// <summary>Length of the file.</summary>
    public long FileBytes => _file.Length;

    public RegionMemory Memory { get; private set; } = null!;
    public IChangeTracker Tracker { get; private set; } = null!;
    public Journal Journal { get; private set; } = null!;

    /// <summary>Whether the memory held a region already, so that nobody knows in which pages the image differs.</summary>
    public bool IsBehind { get; private set; }

    /// <summary>The image that the options name; null if they name none.</summary>
    public static RegionImage? Open(EngineOptions options)
    {
        var file = options.ImageFile;
        if (options.RegionFileDescriptor >= 0) file = ImageFile.Adopt(options.RegionFileDescriptor, options.RegionPath);
        else if (options.RegionPath is { } path) file = ImageFile.Open(path);
        return file is null ? null : new RegionImage(file, !options.WithoutWriteTracking);
    }

    /// <summary>Reads the superblock. False for a file that is empty, or that whoever made it had not begun to fill.</summary>
    public bool HasRegion()
    {
        if (_file.Length == 0) return false;
        var page = (byte*)NativeMemory.AlignedAlloc(RegionLayout.PageSize, RegionLayout.PageSize);
        try
        {
            Must(_file.Read(0, page, RegionLayout.PageSize), "read");
            Superblock = Unsafe.Read<Superblock>(page);
            return new ReadOnlySpan<byte>(page, RegionLayout.PageSize).IndexOfAnyExcept((byte)0) >= 0
                || _file.NextData(RegionLayout.PageSize, out _, out _);
        }
        finally
        {
            NativeMemory.AlignedFree(page);
        }
    }

    /// <summary>
    /// Makes the image of a region just made: its superblock, durable before anything else, because it says where the journal lies. The length
    /// goes first: a file of that length and no superblock is one that can be begun again.
    /// </summary>
    public void Make(RegionMemory memory)
    {
        Bind(memory);
        var page = (byte*)NativeMemory.AlignedAlloc(RegionLayout.PageSize, RegionLayout.PageSize);
        memory.Read(0, page, RegionLayout.PageSize);
        var error = _file.SetLength(_bytes);
        if (error == 0) error = _file.Sync();
        if (error == 0) error = _file.Write(0, page, RegionLayout.PageSize);
        if (error == 0) error = _file.Sync();
        NativeMemory.AlignedFree(page);
        Must(error, "begin");
    }

    /// <summary>Takes an image for an older state of the region in memory.</summary>
    public void Follow(RegionMemory memory)
    {
        Bind(memory);
        Replay();
        IsBehind = true;
    }

    /// <summary>Reads the image into memory that holds nothing yet.</summary>
    public void Load(RegionMemory memory)
    {
        Bind(memory);
        Replay();
        long end = 0;
        for (long from = RegionLayout.PageSize; from < _bytes && _file.NextData(from, out var start, out var stop); from = stop)
        {
            stop = Math.Min(Up(stop), _bytes);
            if (stop > Down(start)) LoadRange(Math.Max(Down(start), RegionLayout.PageSize), stop);
            end = stop;
        }
        // Last, because a memory with a superblock is a whole region for whoever finds it.
        LoadRange(0, RegionLayout.PageSize);
        using var nothing = new PageSet(_bytes);
        Tracker.Collect(nothing, 0, Math.Max(end, RegionLayout.PageSize));
    }

    /// <summary>Adds the pages in which memory and image differ. Answers an errno.</summary>
    public int Compare(long used, PageSet differing)
    {
        var ours = (byte*)NativeMemory.AlignedAlloc(2 * Piece, RegionLayout.PageSize);
        var theirs = ours + Piece;
        var error = 0;
        for (long at = 0; at < used && error == 0; at += Piece)
        {
            var bytes = (int)Math.Min(Piece, used - at);
            Memory.Read(at, ours, bytes);
            error = _file.Read(at, theirs, bytes);
            for (var i = 0; i < bytes && error == 0; i += RegionLayout.PageSize)
            {
                if (!new ReadOnlySpan<byte>(ours + i, RegionLayout.PageSize).SequenceEqual(new ReadOnlySpan<byte>(theirs + i, RegionLayout.PageSize)))
                    differing.Add((at + i) / RegionLayout.PageSize);
            }
        }
        NativeMemory.AlignedFree(ours);
        return error;
    }

    public void Dispose()
    {
        Tracker?.Dispose();
        Journal?.Dispose();
        _file.Dispose();
    }

    private void Bind(RegionMemory memory)
    {
        Memory = memory;
        _bytes = memory.Length;
        Journal = new Journal(_file, _bytes);
        Tracker = (_tracksWrites ? WriteProtectTracker.TryCreate(memory) : null) ?? (IChangeTracker)new HashTracker(memory);
    }

    private void Replay()
    {
        Must(Journal.Find(out var complete), "read");
        if (complete) Must(Journal.Apply(), "complete the last checkpoint of");
    }

    private void LoadRange(long start, long end)
    {
        for (var at = start; at < end; at += Piece)
        {
            var bytes = (int)Math.Min(Piece, end - at);
            if (!Memory.Populate(at, bytes)) throw new RegionException($"no memory for what {Name} holds; make room");
            Must(_file.Read(at, Memory.Start + at, bytes), "read");
        }
    }

    private void Must(int error, string what)
    {
        if (error != 0) throw new RegionException($"cannot {what} {Name}: {FileFacts.Describe(error)}; see to its disk, then start again");
    }

    private static long Down(long offset) => offset & ~(RegionLayout.PageSize - 1L);

    private static long Up(long offset) => Down(offset + RegionLayout.PageSize - 1);
}
