using System.Runtime.InteropServices;
using Tmds.Linux;
using Tmem.Engine.Native;
using static Tmds.Linux.LibC;

namespace Tmem.Engine.Region;

/// <summary>Facts about a file or memfd, before it is used.</summary>
internal static unsafe class FileFacts
{
    private const int SeekData = 3;
    private const int SeekHole = 4;

    /// <exception cref="RegionException">It is not a regular file.</exception>
    public static long LengthOf(int descriptor, string name)
    {
        stat buffer;
        if (SystemCalls.Stat(descriptor, &buffer) is var error and not 0)
            throw new RegionException($"cannot stat {name}: {Describe(error)}");
        const uint typeMask = 0xF000, regular = 0x8000;
        if (((uint)buffer.st_mode & typeMask) != regular)
            throw new RegionException($"{name} is not a regular file; a region needs one (or none for memory)");
        return (long)buffer.st_size;
    }

    /// <summary>Bytes of memory or disk it takes; 0 if the system does not say.</summary>
    public static long AllocatedBytes(int descriptor)
    {
        const int blockBytes = 512;
        stat buffer;
        return SystemCalls.Stat(descriptor, &buffer) == 0 ? (long)buffer.st_blocks * blockBytes : 0;
    }

    /// <summary>The first range at or after an offset that is not a hole; the whole rest if holes are unknown.</summary>
    public static bool NextData(int descriptor, long from, out long start, out long end)
    {
        end = 0;
        start = SystemCalls.Seek(descriptor, from, SeekData);
        if (start < 0)
        {
            if (start == -ENXIO) return false;
            start = from;
        }
        end = SystemCalls.Seek(descriptor, start, SeekHole);
        if (end < 0) end = SystemCalls.Seek(descriptor, 0, SEEK_END);
        return end > start;
    }

    /// <summary>The system's words, and the limit if that is the reason.</summary>
    public static string Describe(int error) => Marshal.GetPInvokeErrorMessage(error)
        + (error == EFBIG && FileSizeLimit.Bytes is { } most ? $", as this process may have files of {most} bytes at most" : "");

    /// <summary>Whether an error is this process's limit on the size of files, and not the file system's.</summary>
    public static bool IsLimit(int error) => error == EFBIG && FileSizeLimit.Bytes is not null;
}
