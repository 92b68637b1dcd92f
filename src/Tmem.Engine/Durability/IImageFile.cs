namespace Tmem.Engine.Durability;

/// <summary>
/// The file an image lies in, as little as durability needs of it, so that a test can stand between the two and record, fail or
/// cut off what is written. Offsets and lengths are multiples of a page and buffers are aligned to one. Every answer is an errno,
/// 0 for success: a full disk and a failing one are expected.
/// </summary>
internal unsafe interface IImageFile : IDisposable
{
    /// <summary>What to call the file in messages.</summary>
    string Name { get; }

    long Length { get; }

    /// <summary>Reads; bytes beyond the end are zeros.</summary>
    int Read(long offset, byte* into, int length);

    int Write(long offset, byte* data, int length);

    /// <summary>
    /// Sees to it that what is written to a range later finds its blocks, without changing what it reads as. Where the file
    /// system cannot promise that, Ok all the same: a write then finds out.
    /// </summary>
    int Allocate(long offset, long length);

    /// <summary>Bytes that the file takes on the disk.</summary>
    long UsedBytes { get; }

    /// <summary>Bytes that the disk has for us beside what the file has; -1 if it does not say.</summary>
    long FreeBytes { get; }

    /// <summary>Makes a range read as zeros and, where the file system can, take no disk.</summary>
    int Punch(long offset, long length);

    int SetLength(long length);

    /// <summary>
    /// Returns when all that was written is on stable storage. After a failure nothing since the last success may be believed to
    /// be.
    /// </summary>
    int Sync();

    /// <summary>The first range at or after an offset that may hold something other than zeros. False if there is none.</summary>
    bool NextData(long from, out long start, out long end);
}
