using Tmem.Engine.Format;
using Tmem.Engine.Native;
using static Tmds.Linux.LibC;

namespace Tmem.Engine.Region;

/// <summary>
/// A region's mapping: anonymous memory, or a memfd (MAP_SHARED). Memory is populated before use (MADV_POPULATE_WRITE returns "no
/// memory" as an error where a first touch would be a SIGBUS) and given back by punching holes. The mapping is excluded from core
/// dumps: a dump also reads holes, which populates them, and would write out stored data.
/// </summary>
internal sealed unsafe class RegionMemory : IDisposable
{
    // Not in Tmds.LibC 0.5.0.
    private const int MADV_DONTDUMP = 16;
    private const int MADV_POPULATE_READ = 22;
    private const int MADV_POPULATE_WRITE = 23;
    private const int MADV_DONTNEED_LOCKED = 24;
    private const int MADV_COLLAPSE = 25;
    private const int MLOCK_ONFAULT = 1;

    private readonly int _descriptor;
    private readonly bool _locked;
    private bool _populateUnsupported;
    private long _madePresent;

    private RegionMemory(byte* start, long length, int descriptor, bool locked, string name)
    {
        Start = start;
        Length = length;
        _descriptor = descriptor;
        _locked = locked;
        Name = name;
    }

    public byte* Start { get; private set; }
    public long Length { get; }

    /// <summary>The memory's descriptor; -1 for anonymous memory.</summary>
    public int Descriptor => _descriptor;

    /// <summary>The region's name in messages.</summary>
    public string Name { get; }

    public static RegionMemory Anonymous(long length, bool lockMemory) =>
        Map(-1, length, lockMemory, "the anonymous region");

    /// <summary>A new, empty memfd.</summary>
    public static int CreateDescriptor()
    {
        var descriptor = SystemCalls.CreateMemory("tmem-region\0"u8, MFD_CLOEXEC);
        return descriptor >= 0 ? descriptor
            : throw new RegionException(
                $"memfd_create failed: {FileFacts.Describe(-descriptor)}; there is no memory for a region");
    }

    /// <summary>
    /// Sets the length of a descriptor's file and maps it; the descriptor belongs to the mapping once this succeeds.
    /// </summary>
    public static RegionMemory FromDescriptor(int fd, long length, bool lockMemory, string name)
    {
        if (FileFacts.LengthOf(fd, name) < length && SystemCalls.SetLength(fd, length) is var error and not 0)
            throw new RegionException($"cannot extend {name} to {length} bytes: {FileFacts.Describe(error)}"
                + (FileFacts.IsLimit(error) ? $"; {FileSizeLimit.Remedy}" : ""));
        return Map(fd, length, lockMemory, name);
    }

    private static RegionMemory Map(int fd, long length, bool lockMemory, string name)
    {
        var flags = MAP_NORESERVE | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
        var start = fd < 0
            ? SystemCalls.Map(null, length, PROT_READ | PROT_WRITE, flags, fd, out var error)
            : MapAligned(fd, length, flags, out error);
        if (start == null) throw new RegionException($"cannot map {length} bytes for {name}: {FileFacts.Describe(error)}");
        _ = SystemCalls.Advise(start, length, MADV_DONTDUMP);
        // Locked as they are populated: locking the whole sparse mapping at once would populate it.
        // A process that locks everything it maps (mlockall) has locked this too; undo that.
        if (!lockMemory && fd >= 0) _ = SystemCalls.Unlock(start, length);
        var locked = lockMemory && SystemCalls.Lock(start, length, MLOCK_ONFAULT) == 0;
        return new RegionMemory((byte*)start, length, fd, locked, name);
    }

    /// <summary>
    /// Maps a descriptor at a multiple of 2 MiB, as huge pages need: reserves more than that, and unmaps the excess.
    /// </summary>
    private static void* MapAligned(int fd, long length, int flags, out int error)
    {
        const long align = HugeBlocks.BlockBytes;
        var whole = length + align;
        var reserved = SystemCalls.Map(null, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, out error);
        if (reserved == null) return null;
        var before = (align - (long)reserved % align) % align;
        var start = SystemCalls.Map((byte*)reserved + before, length, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, out error);
        if (start == null)
        {
            _ = SystemCalls.Unmap(reserved, whole);
            return null;
        }
        var end = ((long)start + length + RegionLayout.PageSize - 1) & ~(RegionLayout.PageSize - 1L);
        if (before > 0) _ = SystemCalls.Unmap(reserved, before);
        if ((long)reserved + whole > end) _ = SystemCalls.Unmap((void*)end, (long)reserved + whole - end);
        return start;
    }

    /// <summary>
    /// Whether the kernel could hold the memory in huge pages and free part of one at once. Of private memory it keeps the whole
    /// page.
    /// </summary>
    public bool MayBeHuge => _descriptor >= 0 && !_locked;

    /// <summary>
    /// Asks the kernel to collapse a block of present pages into one. False if it does not now; it may not support it.
    /// </summary>
    public bool TryCollapse(long offset, long length, out bool isUnsupported)
    {
        var error = SystemCalls.Advise(Start + offset, length, MADV_COLLAPSE);
        isUnsupported = error == EINVAL;
        return error == 0;
    }

    /// <summary>Makes pages present and writable. False if there is no memory for them.</summary>
    public bool Populate(long offset, long length)
    {
        if (!_populateUnsupported)
        {
            // A memfd at its limit fails here; a touch would be a SIGBUS.
            if (_descriptor >= 0 && SystemCalls.Allocate(_descriptor, 0, offset, length) is var refusal && refusal != 0
                && refusal != EOPNOTSUPP && refusal != EINTR)
            {
                return false;
            }
            for (var tries = 0; tries < 8; tries++)
            {
                var error = SystemCalls.Advise(Start + offset, length, MADV_POPULATE_WRITE);
                if (error == 0) return true;
                if (error == EINVAL) { _populateUnsupported = true; break; } // before Linux 5.14
                if (error is not (4 /* EINTR */ or 11 /* EAGAIN */)) return false;
            }
            if (!_populateUnsupported) return false;
        }
        for (long i = 0; i < length; i += RegionLayout.PageSize)
            Interlocked.Or(ref *(int*)(Start + offset + i), 0);
        return true;
    }

    /// <summary>Maps what a memfd already holds here; a hint, without effect before Linux 5.14.</summary>
    public void MakePresent(long offset, long length) => _ = SystemCalls.Advise(Start + offset, length, MADV_POPULATE_READ);

    /// <summary>
    /// Whether <see cref="RegionPresence"/> has made nearly all that a memfd holds present here, judged by its growth since. The
    /// rest is cheaper to fault in, sixteen pages at a time, than to request: a request also costs for pages that are present.
    /// </summary>
    public bool IsPresent => HeldBytes is var held && held - _madePresent <= held / 8;

    /// <summary>The memory that a memfd holds, whoever populated it.</summary>
    public long HeldBytes => FileFacts.AllocatedBytes(_descriptor) - BehindBytes();

    /// <summary>Whether it can hold stray memory: a read of a hole populates it, except in private memory.</summary>
    public bool MayHaveStrays => _descriptor >= 0;

    /// <summary>
    /// Memory of the file behind the region, which belongs to durability (the hashes of the image). Read after the total for the
    /// whole file, as it only grows.
    /// </summary>
    private long BehindBytes()
    {
        long bytes = 0;
        for (var from = Length; NextData(from, out var start, out var end); from = end) bytes += end - start;
        return bytes;
    }

    /// <summary>Notes that all it holds now is about to be present.</summary>
    public void NoteMadePresent() => _madePresent = HeldBytes;

    /// <summary>
    /// Called by the thread that punched, after the range has become zeros: the kernel does not count a hole as a write. Null
    /// where changes are not tracked.
    /// </summary>
    public Action<long, long>? Punched { get; set; }

    /// <summary>Gives pages back to the kernel; they read as zeros afterwards.</summary>
    public void Punch(long offset, long length)
    {
        MakeHole(offset, length);
        Punched?.Invoke(offset, length);
    }

    private void MakeHole(long offset, long length)
    {
        const int keepSizePunchHole = 1 | 2;
        var failed = _descriptor >= 0
            ? SystemCalls.Allocate(_descriptor, keepSizePunchHole, offset, length) != 0
            : SystemCalls.Advise(Start + offset, length, _locked ? MADV_DONTNEED_LOCKED : MADV_DONTNEED) != 0;
        if (!failed) return;
        // A kernel without DONTNEED_LOCKED (before 5.18) keeps the contents, and the span's next user relies on zeros.
        new Span<byte>(Start + offset, (int)length).Clear();
        if (_descriptor < 0)
        {
            _ = SystemCalls.Unlock(Start + offset, length);
            _ = SystemCalls.Advise(Start + offset, length, MADV_DONTNEED);
            if (_locked) _ = SystemCalls.Lock(Start + offset, length, MLOCK_ONFAULT);
        }
    }

    /// <summary>
    /// Copies from the memory of a memfd. Through the descriptor, because what has been punched meanwhile reads as zeros there,
    /// where a touch of the mapping would populate it again.
    /// </summary>
    public void Read(long offset, byte* into, int length)
    {
        for (var done = 0; done < length;)
        {
            var read = SystemCalls.ReadAt(_descriptor, into + done, length - done, offset + done);
            if (read > 0) done += (int)read;
            else if (read != -EINTR)
                throw new RegionException(
                    $"cannot read {Name}: {(read == 0 ? "it is cut short" : FileFacts.Describe((int)-read))}");
        }
    }

    /// <summary>The first range of a memfd at or after an offset that holds memory. False if there is none.</summary>
    public bool NextData(long from, out long start, out long end) => FileFacts.NextData(_descriptor, from, out start, out end);

    public void Dispose()
    {
        if (Start == null) return;
        _ = SystemCalls.Unmap(Start, Length);
        Start = null;
        if (_descriptor >= 0) SystemCalls.Close(_descriptor);
    }
}
