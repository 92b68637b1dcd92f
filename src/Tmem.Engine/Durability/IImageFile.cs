namespace Tmem.Engine.Durability;

/// <summary>
/// An image's file, reduced to what durability needs, so that a test can stand in between and record, fail or cut off writes.
/// Offsets and lengths are multiples of a page and buffers are aligned to one. Every method returns an errno, 0 for success: a
/// full disk and a failing one are expected.
/// </summary>
internal unsafe interface IImageFile : IDisposable
{
    /// <summary>The file's name in messages.</summary>
    string Name { get; }

    long Length { get; }

    /// <summary>
    /// Null while the file has a name, or if it had none when it was opened. Else where it can be read until this process ends.
    /// </summary>
    string? RemovedAt { get; }

    /// <summary>
    /// Null while the path that it was opened by leads to it, and where that cannot be seen. Else its present name, or "inode N".
    /// </summary>
    string? MovedTo { get; }

    /// <summary>Reads; bytes beyond the end are zeros.</summary>
    int Read(long offset, byte* into, int length);

    int Write(long offset, byte* data, int length);

    /// <summary>
    /// Allocates blocks for later writes to a range, without changing its contents. Success as well where the file system cannot
    /// promise that: a write then finds out.
    /// </summary>
    int Allocate(long offset, long length);

    /// <summary>Bytes that the file takes on the disk.</summary>
    long UsedBytes { get; }

    /// <summary>Bytes that the disk has free for the file; -1 if unknown.</summary>
    long FreeBytes { get; }

    /// <summary>Makes a range read as zeros and, where the file system can, take no disk.</summary>
    int Punch(long offset, long length);

    int SetLength(long length);

    /// <summary>
    /// Returns when everything written is on stable storage. After a failure nothing written since the last success may be
    /// assumed to be.
    /// </summary>
    int Sync();

    /// <summary>The first range at or after an offset that may hold something other than zeros. False if there is none.</summary>
    bool NextData(long from, out long start, out long end);
}
