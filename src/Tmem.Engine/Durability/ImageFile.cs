using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;
using Tmem.Engine.Format;
using Tmem.Engine.Native;
using Tmem.Engine.Region;
using static Tmds.Linux.LibC;

namespace Tmem.Engine.Durability;

/// <summary>
/// An image's file. Written past the page cache (O_DIRECT) where the file system allows it; elsewhere through it, and each sync
/// drops the cached pages, so that the store does not take its memory twice.
/// </summary>
internal sealed unsafe class ImageFile : IImageFile
{
    private const int DontNeed = 4;
    private const int KeepSize = 1;
    private const int KeepSizePunchHole = KeepSize | 2;
    private const int SetFlags = 4;

    private readonly int _descriptor;
    private readonly FileName _name;
    private bool _direct;
    private bool _isLockedHere;

    private ImageFile(int descriptor, string name, FileName names)
    {
        _descriptor = descriptor;
        Name = name;
        _name = names;
        UseDirect(true);
    }

    public string Name { get; }

    public string? RemovedAt => _name.RemovedAt;

    public string? MovedTo => _name.MovedTo;

    public long Length => FileFacts.LengthOf(_descriptor, Name);

    public long UsedBytes => FileFacts.AllocatedBytes(_descriptor);

    public long FreeBytes
    {
        get
        {
            statvfs figures;
            return fstatvfs(_descriptor, &figures) == 0 ? (long)((ulong)figures.f_bavail * (ulong)figures.f_frsize) : -1;
        }
    }

    /// <summary>Opens (and if need be creates) an image file and takes the lock that keeps other processes off it.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="onlyReads">For a caller that writes nothing to it; others may read it at the same time.</param>
    /// <exception cref="RegionException">It cannot be opened, is no regular file, is another user's, or is in use.</exception>
    public static ImageFile Open(string path, bool onlyReads = false)
    {
        var file = Take(RegionFileOpening.OpenLocked(path, onlyReads), path, Path.GetFullPath(path), mayHaveNone: false);
        file._isLockedHere = true;
        return file;
    }

    /// <summary>As <see cref="Open(string, bool)"/>, for a file that the caller has open.</summary>
    /// <param name="handle">The caller's handle; it stays the caller's.</param>
    /// <param name="path">Its name in messages; null for none.</param>
    /// <param name="onlyReads">As for the other.</param>
    public static ImageFile Open(SafeFileHandle handle, string? path, bool onlyReads)
    {
        var descriptor = RegionFileOpening.ReopenLocked(handle, path ?? "of the handle", onlyReads);
        var file = Take(descriptor, path, from: null, mayHaveNone: true);
        file._isLockedHere = true;
        return file;
    }

    /// <summary>Takes over a file that another process has opened and locked, with its descriptor.</summary>
    /// <param name="descriptor">The file.</param>
    /// <param name="path">What it was opened by, if known; only an absolute path can be looked at again.</param>
    public static ImageFile Adopt(int descriptor, string? path) =>
        Take(descriptor, path, Path.IsPathFullyQualified(path ?? "") ? path : null, mayHaveNone: false);

    private static ImageFile Take(int descriptor, string? path, string? from, bool mayHaveNone)
    {
        var name = path is null ? "the region's file" : $"region file '{path}'";
        try
        {
            _ = FileFacts.LengthOf(descriptor, name);
            return new ImageFile(descriptor, name, new FileName(descriptor, from, mayHaveNone));
        }
        catch
        {
            SystemCalls.Close(descriptor);
            throw;
        }
    }

    public int Read(long offset, byte* into, int length)
    {
        for (var done = 0; done < length;)
        {
            var read = SystemCalls.ReadAt(_descriptor, into + done, length - done, offset + done);
            if (read < 0)
            {
                if (IsPassing((int)-read)) continue;
                return (int)-read;
            }
            // The end of the file, not necessarily a page's; the rest is zeros.
            if (read == 0 || (read & (RegionLayout.PageSize - 1)) != 0)
            {
                new Span<byte>(into + done + read, length - done - (int)read).Clear();
                return 0;
            }
            done += (int)read;
        }
        return 0;
    }

    public int Write(long offset, byte* data, int length)
    {
        for (var done = 0; done < length;)
        {
            var written = SystemCalls.WriteAt(_descriptor, data + done, length - done, offset + done);
            if (written < 0)
            {
                if (IsPassing((int)-written)) continue;
                return (int)-written;
            }
            // No bytes and no error: such a disk is full.
            if (written == 0) return ENOSPC;
            done += (int)written;
        }
        return 0;
    }

    public int Allocate(long offset, long length)
    {
        while (SystemCalls.Allocate(_descriptor, KeepSize, offset, length) is var error and not 0)
        {
            if (error == EINTR) continue;
            return error == EOPNOTSUPP || error == ENOSYS ? 0 : error;
        }
        return 0;
    }

    public int Punch(long offset, long length)
    {
        while (SystemCalls.Allocate(_descriptor, KeepSizePunchHole, offset, length) is var error and not 0)
        {
            if (error == EINTR) continue;
            return error == EOPNOTSUPP ? WriteZeros(offset, length) : error;
        }
        return 0;
    }

    public int SetLength(long length) => SystemCalls.SetLength(_descriptor, length);

    public int Sync()
    {
        while (SystemCalls.SyncData(_descriptor) is var error and not 0)
        {
            if (error != EINTR) return error;
        }
        if (!_direct) _ = posix_fadvise(_descriptor, 0, 0, DontNeed);
        return 0;
    }

    public bool NextData(long from, out long start, out long end) => FileFacts.NextData(_descriptor, from, out start, out end);

    public void Dispose()
    {
        // Unlocked explicitly: a child process being started holds a copy of the descriptor, and the lock with it, until its
        // exec.
        if (_isLockedHere) _ = NativeMethods.FileLock(_descriptor, NativeMethods.LockNothing);
        SystemCalls.Close(_descriptor);
    }

    /// <summary>Whether to retry: interrupted, or refused because of O_DIRECT.</summary>
    private bool IsPassing(int error)
    {
        if (error == EINTR) return true;
        if (error != EINVAL || !_direct) return false;
        UseDirect(false);
        return true;
    }

    private void UseDirect(bool direct) => _direct = fcntl(_descriptor, SetFlags, direct ? O_DIRECT : 0) == 0 && direct;

    private int WriteZeros(long offset, long length)
    {
        const int most = 1 << 20;
        var zeros = (byte*)NativeMemory.AlignedAlloc(most, RegionLayout.PageSize);
        NativeMemory.Clear(zeros, most);
        var error = 0;
        for (long done = 0; done < length && error == 0; done += most)
            error = Write(offset + done, zeros, (int)Math.Min(most, length - done));
        NativeMemory.AlignedFree(zeros);
        return error;
    }
}
