using System.Globalization;
using Tmem.Control.Host;

namespace Tmem.Ctl.Output;

/// <summary>
/// A file that takes a name in one step, once it is whole: a reader sees the old file or the new one. Until then it has a name
/// that nobody could know, and is no file of anybody else's. Only a regular file is replaced: a device, a pipe or a link is not.
/// </summary>
internal sealed class ReplacingFile : IDisposable
{
    private readonly string _path;
    private readonly string _own;
    private readonly UnixFileMode _mode;
    private bool _isDone;

    /// <param name="path">The name it is to have.</param>
    /// <param name="mode">Its permissions, whatever the umask is.</param>
    /// <exception cref="IOException">Something else than a file has the name, or it cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be made.</exception>
    public ReplacingFile(string path, UnixFileMode mode)
    {
        const int here = -100; // AT_FDCWD
        if (FileStatus.Of(here, path, FileStatus.NoFollow | FileStatus.NoAutomount, FileStatus.Basic, out var there) == 0
            && !there.IsRegular)
            throw new IOException(
                $"{path} is {(there.IsDirectory ? "a directory" : there.IsLink ? "a link" : "no ordinary file")}");
        (_path, _mode) = (path, mode);
        _own = string.Create(CultureInfo.InvariantCulture, $"{path}.{Guid.NewGuid():N}");
        // CreateNew follows no link and takes no file that is there.
        Stream = new FileStream(_own, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            BufferSize = 0,
        });
    }

    /// <summary>What is written to it.</summary>
    public FileStream Stream { get; }

    /// <summary>Gives it its name. What was written is on the disk then.</summary>
    public void Complete()
    {
        Stream.Flush(flushToDisk: true);
        File.SetUnixFileMode(Stream.SafeFileHandle, _mode);
        Stream.Dispose();
        File.Move(_own, _path, overwrite: true);
        _isDone = true;
    }

    /// <summary>Removes it, unless it is complete.</summary>
    public void Dispose()
    {
        Stream.Dispose();
        if (!_isDone) File.Delete(_own);
    }
}
