using System.Runtime.InteropServices;
using System.Text;
using static Tmds.Linux.LibC;
using Tmds.Linux;

namespace Tmem.Engine.Region;

/// <summary>
/// The mapping a region lives in: anonymous memory, a memfd or a file, all MAP_SHARED but the first. Memory is populated before it is
/// used (MADV_POPULATE_WRITE answers "no memory" as an error where a first touch would be a SIGBUS) and given back by punching holes.
/// </summary>
internal sealed unsafe class RegionMemory : IDisposable
{
    // Not in Tmds.LibC 0.5.0.
    private const int MADV_POPULATE_WRITE = 23;
    private const int MADV_DONTNEED_LOCKED = 24;
    private const int MLOCK_ONFAULT = 1;

    private readonly int _descriptor;
    private readonly bool _locked;
    private bool _populateUnsupported;

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

    /// <summary>What to call this region in messages.</summary>
    public string Name { get; }

    public static RegionMemory Anonymous(long length, bool lockMemory) =>
        Map(-1, length, lockMemory, "the anonymous region");

    /// <summary>Opens (creating it if need be) a region file and takes the lock that keeps a second process off it.</summary>
    public static int OpenFile(string path, out long length)
    {
        var bytes = Encoding.UTF8.GetBytes(path + "\0");
        int fd;
        fixed (byte* p = bytes)
            fd = open(p, O_RDWR | O_CREAT | O_CLOEXEC, (mode_t)0x180 /* 0600 */);
        if (fd < 0)
            throw new RegionException($"cannot open region file '{path}': {Error()}; name a file that can be read and written");
        if (NativeMethods.FileLock(fd, NativeMethods.LockExclusive | NativeMethods.LockNonBlocking) != 0)
        {
            _ = close(fd);
            throw new RegionException($"region file '{path}' is in use by another process; stop that one first or name another file");
        }
        length = LengthOf(fd, path);
        return fd;
    }

    public static long LengthOf(int fd, string name)
    {
        stat buffer;
        if (fstat(fd, &buffer) != 0) throw new RegionException($"cannot stat {name}: {Error()}");
        const uint typeMask = 0xF000, regular = 0x8000;
        if (((uint)buffer.st_mode & typeMask) != regular)
            throw new RegionException($"'{name}' is not a regular file; a region needs one (or none for memory)");
        return (long)buffer.st_size;
    }

    /// <summary>Maps a descriptor, which then belongs to the mapping; the file is first made <paramref name="length"/> long.</summary>
    public static RegionMemory FromDescriptor(int fd, long length, bool lockMemory, string name)
    {
        if (LengthOf(fd, name) < length && ftruncate(fd, length) != 0)
            throw new RegionException($"cannot extend {name} to {length} bytes: {Error()}");
        return Map(fd, length, lockMemory, name);
    }

    private static RegionMemory Map(int fd, long length, bool lockMemory, string name)
    {
        var flags = MAP_NORESERVE | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
        var start = mmap(null, (size_t)(ulong)length, PROT_READ | PROT_WRITE, flags, fd, 0);
        if (start == MAP_FAILED)
        {
            var error = Error();
            if (fd >= 0) _ = close(fd);
            throw new RegionException($"cannot map {length} bytes for {name}: {error}");
        }
        // Locked as they are populated: locking the whole sparse mapping at once would fill it.
        var locked = lockMemory && mlock2(start, (size_t)(ulong)length, MLOCK_ONFAULT) == 0;
        return new RegionMemory((byte*)start, length, fd, locked, name);
    }

    /// <summary>Makes pages present and writable. False if the system has no memory (or no disk) for them.</summary>
    public bool Populate(long offset, long length)
    {
        if (!_populateUnsupported)
        {
            // On a file this also reserves the blocks, so that a full disk is an answer here and not a SIGBUS later.
            if (_descriptor >= 0 && fallocate(_descriptor, 0, offset, length) != 0)
            {
                var error = errno;
                if (error != EOPNOTSUPP && error != EINTR) return false;
            }
            for (var tries = 0; tries < 8; tries++)
            {
                if (madvise(Start + offset, (size_t)(ulong)length, MADV_POPULATE_WRITE) == 0) return true;
                var error = errno;
                if (error == EINVAL) { _populateUnsupported = true; break; } // before Linux 5.14
                if (error is not (4 /* EINTR */ or 11 /* EAGAIN */)) return false;
            }
            if (!_populateUnsupported) return false;
        }
        for (long i = 0; i < length; i += RegionLayout.PageSize)
            Interlocked.Or(ref *(int*)(Start + offset + i), 0);
        return true;
    }

    /// <summary>Gives pages back to the system; they read as zeros afterwards.</summary>
    public void Punch(long offset, long length)
    {
        const int keepSizePunchHole = 1 | 2;
        var failed = _descriptor >= 0
            ? fallocate(_descriptor, keepSizePunchHole, offset, length) != 0
            : madvise(Start + offset, (size_t)(ulong)length, _locked ? MADV_DONTNEED_LOCKED : MADV_DONTNEED) != 0;
        if (!failed) return;
        // A file system without holes, or a kernel without DONTNEED_LOCKED (before 5.18): whoever reuses the span relies on zeros.
        new Span<byte>(Start + offset, (int)length).Clear();
        if (_descriptor < 0)
        {
            _ = munlock(Start + offset, (size_t)(ulong)length);
            _ = madvise(Start + offset, (size_t)(ulong)length, MADV_DONTNEED);
            if (_locked) _ = mlock2(Start + offset, (size_t)(ulong)length, MLOCK_ONFAULT);
        }
    }

    /// <summary>Writes a file's dirty pages out. Does nothing for memory.</summary>
    public void Flush()
    {
        if (_descriptor >= 0) _ = msync(Start, (size_t)(ulong)Length, MS_SYNC);
    }

    public void Dispose()
    {
        if (Start == null) return;
        _ = munmap(Start, (size_t)(ulong)Length);
        Start = null;
        if (_descriptor >= 0) _ = close(_descriptor);
    }

    private static string Error() => Marshal.GetPInvokeErrorMessage(errno);
}
