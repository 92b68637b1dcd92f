using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine.Format;
using Tmem.Engine.Native;
using Tmem.Engine.Region;

namespace Tmem.Engine.Durability;

/// <summary>
/// A region's image in a file, and how both are brought together when an engine is opened: a new image is made of the region's
/// superblock, an existing one is read into memory with its journal over it. If memory already holds the region, memory counts,
/// and nothing of the file is needed to start: <see cref="Reconcile"/> brings them together once the store is served. Changes are
/// tracked from the first store on.
/// </summary>
internal sealed unsafe class RegionImage : IDisposable
{
    private const int Piece = 1 << 20;

    private readonly IImageFile _file;
    private readonly bool _tracksWrites;
    private readonly bool _outlives;
    private ImageHashes? _hashes;
    private bool _isKnown;
    private bool _isMade;
    private long _generation;
    private long _bytes;

    public RegionImage(IImageFile file, bool tracksWrites, bool outlives)
    {
        _file = file;
        _tracksWrites = tracksWrites;
        _outlives = outlives;
    }

    public string Name => _file.Name;

    /// <summary>The image's superblock, once there is one.</summary>
    public Superblock Superblock { get; private set; }

    /// <inheritdoc cref="IImageFile.RemovedAt"/>
    public string? RemovedAt => _file.RemovedAt;

    /// <inheritdoc cref="IImageFile.MovedTo"/>
    public string? MovedTo => _file.MovedTo;

    /// <summary>Length of the file.</summary>
    public long FileBytes => _file.Length;

    /// <summary>Bytes free on its disk; -1 if unknown.</summary>
    public long FreeBytes => _file.FreeBytes;

    /// <summary>Bytes that the file may take: what it has and what is free; -1 if unknown.</summary>
    public long RoomBytes => _file.FreeBytes is var free && free < 0 ? -1 : free + _file.UsedBytes;

    public RegionMemory Memory { get; private set; } = null!;
    public IChangeTracker Tracker { get; private set; } = null!;
    public Journal Journal { get; private set; } = null!;

    /// <summary>The hashes of the image, where they outlive the process.</summary>
    public ImageHashes? Hashes => _hashes;

    /// <summary>Whether the memory already held a region, and the image has not been compared with it.</summary>
    public bool IsBehind { get; private set; }

    /// <summary>The pages of a complete journal that is not applied yet.</summary>
    private PageSet? Pending { get; set; }

    /// <summary>The pages an attach has written since the image was read.</summary>
    private PageSet? Derived { get; set; }

    /// <summary>Reads the superblock. False for an empty file, or one that its creator had not begun to fill.</summary>
    public bool HasRegion()
    {
        Must(TryHasRegion(out var has), "read");
        return has;
    }

    /// <summary>
    /// Makes the image of a new region: its superblock, durable before anything else, because it says where the journal lies. The
    /// length is set first: a file of that length without a superblock can be started over.
    /// </summary>
    public void Make(RegionMemory memory)
    {
        Bind(memory);
        Must(Make(), "begin");
        _hashes?.Empty();
        _hashes?.Doubt(0);
        _isKnown = true;
    }

    /// <summary>Whether the file holds the image of a region with another number of spans; false if it cannot be read.</summary>
    public bool IsOfAnother(long spans) =>
        TryHasRegion(out var has) == 0 && has && Superblock.Magic == RegionLayout.Magic && Superblock.SpanCount != spans;

    /// <summary>Treats an image as an older state of the region in memory, whatever it contains.</summary>
    public void Follow(RegionMemory memory)
    {
        Bind(memory);
        _isKnown = _hashes?.IsOf(((Superblock*)memory.Start)->Generation) == true;
        if (!_isKnown) _hashes?.Empty();
        IsBehind = true;
    }

    /// <summary>
    /// Reads the image into empty memory, and over it the pages of a complete journal. Leaves the file itself unchanged, so that
    /// opening takes no room on its disk.
    /// </summary>
    public void Load(RegionMemory memory)
    {
        Bind(memory);
        _hashes?.Empty();
        Must(Journal.Find(out var complete), "read");
        long end = 0;
        for (long from = RegionLayout.PageSize; from < _bytes && _file.NextData(from, out var start, out var stop); from = stop)
        {
            stop = Math.Min(Up(stop), _bytes);
            if (stop > Down(start)) LoadRange(Math.Max(Down(start), RegionLayout.PageSize), stop);
            end = stop;
        }
        if (complete) end = Math.Max(end, LoadJournal());
        // Last, because memory with a superblock counts as a whole region.
        else LoadRange(0, RegionLayout.PageSize);
        using var nothing = new PageSet(_bytes);
        Tracker.Collect(nothing, 0, Math.Max(end, RegionLayout.PageSize));
        _isKnown = true;
    }

    /// <summary>
    /// Hands over, once, the pages of a complete journal that was found and must be applied; null if there is none.
    /// </summary>
    public PageSet? TakePending()
    {
        var pending = Pending;
        Pending = null;
        return pending;
    }

    /// <summary>
    /// Notes that only an attach has written since the image was read: it would derive the same from the image, which stays true
    /// as long as nothing else is written. Not known of an image that is behind.
    /// </summary>
    public void Attached(long used)
    {
        if (IsBehind) return;
        Derived = new PageSet(_bytes);
        Tracker.Collect(Derived, 0, used);
    }

    /// <summary>
    /// Hands over, once, the pages that an attach has written and the image lacks, for the first checkpoint that has something
    /// else to write; null if there are none.
    /// </summary>
    public PageSet? TakeDerived()
    {
        var derived = Derived;
        Derived = null;
        return derived;
    }

    /// <summary>Whether they have not been handed over yet.</summary>
    public bool HasDerived => Derived is not null;

    /// <summary>
    /// Removes from a set the pages that the image holds as the memory does; unreadable ones stay. Not while a journal is to be
    /// applied.
    /// </summary>
    public void DropHeld(PageSet pages)
    {
        var ours = (byte*)NativeMemory.AlignedAlloc(2 * Piece, RegionLayout.PageSize);
        var theirs = ours + Piece;
        const int most = Piece / RegionLayout.PageSize;
        for (long from = 0; pages.NextRun(from, most, out var first, out var count); from = first + count)
        {
            var bytes = (int)count * RegionLayout.PageSize;
            if (_file.Read(first * RegionLayout.PageSize, theirs, bytes) != 0) continue;
            Memory.Read(first * RegionLayout.PageSize, ours, bytes);
            for (var i = 0; i < bytes; i += RegionLayout.PageSize)
            {
                var image = new ReadOnlySpan<byte>(theirs + i, RegionLayout.PageSize);
                if (!image.SequenceEqual(new ReadOnlySpan<byte>(ours + i, RegionLayout.PageSize))) continue;
                Tracker.Taken(first + i / RegionLayout.PageSize, image);
                pages.Remove(first + i / RegionLayout.PageSize);
            }
        }
        NativeMemory.AlignedFree(ours);
    }

    /// <summary>The region has been opened, with this generation.</summary>
    public void Opened(long generation)
    {
        _generation = generation;
        if (_isKnown) _hashes?.KeepFor(generation);
    }

    /// <summary>
    /// Determines what a file is to the memory whose image it should be: makes it anew if it is no image, and finds its journal,
    /// which must be applied before <see cref="Compare"/>. Returns an errno.
    /// </summary>
    public int Reconcile()
    {
        if (_isMade) return 0;
        var error = TryHasRegion(out var has);
        if (error != 0) return error;
        var count = ((Superblock*)Memory.Start)->SpanCount;
        if (!has || !IsOf(Superblock, count) || _file.Length < _bytes)
        {
            // Its contents are no longer an image. All zeros first, then the superblock.
            if ((error = _file.SetLength(0)) != 0 || (error = Make()) != 0) return error;
            Journal.Forget();
            _hashes?.Empty();
            _hashes?.Doubt(0);
            _isKnown = _hashes is not null;
        }
        else
        {
            error = Journal.Find(out var complete, _isKnown ? _hashes?.Applied ?? 0 : 0);
            if (error != 0) return error;
            if (complete)
            {
                Pending = new PageSet(_bytes);
                error = Journal.ForEachPage((page, _) => Pending.Add(page));
                if (error != 0) return error;
            }
        }
        _isMade = true;
        return 0;
    }

    /// <summary>
    /// Adds the pages that differ between memory and image: by the image's hashes, or by reading it without them. Returns an
    /// errno.
    /// </summary>
    public int Compare(long used, PageSet differing)
    {
        if (_isKnown && _hashes is not null) _hashes.Compare(Memory, used, differing, Tracker);
        else if (Read(used, differing) is var error and not 0) return error;
        _isKnown = true;
        IsBehind = false;
        Opened(_generation);
        return 0;
    }

    public void Dispose()
    {
        if (Memory is not null) Memory.Punched = null;
        Tracker?.Dispose();
        Journal?.Dispose();
        Pending?.Dispose();
        Derived?.Dispose();
        _hashes?.Dispose();
        _file.Dispose();
    }

    private void Bind(RegionMemory memory)
    {
        Memory = memory;
        _bytes = memory.Length;
        if (_outlives) _hashes = ImageHashes.TryCreate(memory);
        Tracker = (_tracksWrites ? WriteProtectTracker.TryCreate(memory) : null) ?? (IChangeTracker)new HashTracker(memory);
        Journal = new Journal(_file, _bytes, _hashes, Tracker);
        memory.Punched = Tracker.Punched;
    }

    private static bool IsOf(in Superblock superblock, long spans) =>
        superblock.Magic == RegionLayout.Magic && RegionLayout.Serves(superblock.Version) && superblock.SpanCount == spans;

    /// <summary>Whether what a region has behind its tables is a span table: for a file whose first page is lost.</summary>
    public bool HasSpanTable()
    {
        var page = (byte*)NativeMemory.AlignedAlloc(RegionLayout.PageSize, RegionLayout.PageSize);
        var isTable = _file.Length >= RegionLayout.SpanTableOffset + RegionLayout.SpanBytes
            && _file.Read(RegionLayout.SpanTableOffset, page, RegionLayout.PageSize) == 0;
        var used = false;
        for (var at = 0; at < RegionLayout.PageSize && isTable; at += RegionLayout.SpanEntryBytes)
        {
            ref var entry = ref *(SpanEntry*)(page + at);
            used |= entry.Kind != SpanKind.Free;
            isTable = entry.Kind <= SpanKind.Dictionaries && entry.Class < SizeClasses.Count
                && entry.Present <= RegionLayout.SpanBytes / RegionLayout.PageSize;
        }
        NativeMemory.AlignedFree(page);
        return isTable && used;
    }

    private int TryHasRegion(out bool has)
    {
        has = false;
        if (_file.Length == 0) return 0;
        var page = (byte*)NativeMemory.AlignedAlloc(RegionLayout.PageSize, RegionLayout.PageSize);
        var error = _file.Read(0, page, RegionLayout.PageSize);
        if (error == 0)
        {
            Superblock = Unsafe.Read<Superblock>(page);
            has = new ReadOnlySpan<byte>(page, RegionLayout.PageSize).IndexOfAnyExcept((byte)0) >= 0
                || _file.NextData(RegionLayout.PageSize, out _, out _);
        }
        NativeMemory.AlignedFree(page);
        return error;
    }

    private int Make()
    {
        var page = (byte*)NativeMemory.AlignedAlloc(RegionLayout.PageSize, RegionLayout.PageSize);
        Memory.Read(0, page, RegionLayout.PageSize);
        var error = _file.SetLength(_bytes);
        if (error == 0) error = _file.Sync();
        if (error == 0) error = _file.Write(0, page, RegionLayout.PageSize);
        if (error == 0) error = _file.Sync();
        NativeMemory.AlignedFree(page);
        return error;
    }

    /// <summary>Compares the whole image with the memory, and notes its hashes.</summary>
    private int Read(long used, PageSet differing)
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
                var page = (at + i) / RegionLayout.PageSize;
                var image = new ReadOnlySpan<byte>(theirs + i, RegionLayout.PageSize);
                _hashes?.Trust(page, image);
                if (new ReadOnlySpan<byte>(ours + i, RegionLayout.PageSize).SequenceEqual(image)) Tracker.Taken(page, image);
                else differing.Add(page);
            }
        }
        NativeMemory.AlignedFree(ours);
        return error;
    }

    /// <summary>Writes the journal's pages over the memory, the superblock last. Returns where the journal ends.</summary>
    private long LoadJournal()
    {
        Pending = new PageSet(_bytes);
        long end = 0;
        var superblock = new byte[RegionLayout.PageSize];
        fixed (byte* page = superblock) Must(_file.Read(0, page, RegionLayout.PageSize), "read");
        Must(Journal.ForEachPage((page, content) =>
        {
            Pending.Add(page);
            _hashes?.Expect(page, content);
            end = Math.Max(end, (page + 1) * RegionLayout.PageSize);
            if (page == 0) content.CopyTo(superblock);
            else Put(page, content);
        }), "read");
        if (!Pending.Contains(0)) _hashes?.Trust(0, superblock);
        Put(0, superblock);
        return end;
    }

    private void Put(long page, ReadOnlySpan<byte> content)
    {
        var at = page * RegionLayout.PageSize;
        if (content.IsEmpty)
        {
            Memory.Punch(at, RegionLayout.PageSize);
            return;
        }
        if (!Memory.Populate(at, RegionLayout.PageSize)) throw NoMemory();
        content.CopyTo(new Span<byte>(Memory.Start + at, RegionLayout.PageSize));
    }

    private void LoadRange(long start, long end)
    {
        for (var at = start; at < end; at += Piece)
        {
            var bytes = (int)Math.Min(Piece, end - at);
            if (!Memory.Populate(at, bytes)) throw NoMemory();
            Must(_file.Read(at, Memory.Start + at, bytes), "read");
            for (var i = 0; i < bytes && _hashes is not null; i += RegionLayout.PageSize)
                _hashes.Trust((at + i) / RegionLayout.PageSize,
                    new ReadOnlySpan<byte>(Memory.Start + at + i, RegionLayout.PageSize));
        }
    }

    private RegionException NoMemory() => new($"no memory for what {Name} holds; make room");

    private void Must(int error, string what)
    {
        if (error != 0)
            throw new RegionException($"cannot {what} {Name}: {FileFacts.Describe(error)}; "
                + $"{(FileFacts.IsLimit(error) ? FileSizeLimit.Remedy : "see to its disk")}, then start again");
    }

    private static long Down(long offset) => offset & ~(RegionLayout.PageSize - 1L);

    private static long Up(long offset) => Down(offset + RegionLayout.PageSize - 1);
}
