using System.Security.Cryptography;
using System.Text;
using Tmem.Control.Host;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Output;

/// <summary>
/// A file that takes a name in one step, once it is whole: a reader sees the old file or the new one. Until then it has a short
/// name in the same directory that nobody could know. Only a regular file is replaced: a device, a pipe or a link is not.
/// <para>A signal that ends the process removes it, and the next one for the same name what a process that was killed has left:
/// its name begins with a mark of that name, and nobody has it locked. O_TMPFILE leaves nothing, but not every file system has
/// it, and its file cannot replace another without such a name either.</para>
/// </summary>
internal sealed class ReplacingFile : IDisposable
{
    private const string Begin = ".tmem-";
    private const int MarkBytes = 4, RandomBytes = 8;

    private readonly string _path;
    private readonly string _own;
    private readonly UnixFileMode _mode;
    private readonly Lock _gate = new();
    private readonly Interrupt _interrupt;
    private bool _isDone;

    /// <param name="path">The name it is to have.</param>
    /// <param name="mode">Its permissions, whatever the umask is.</param>
    /// <exception cref="IOException">Something else than a file has the name, or it cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be made.</exception>
    public ReplacingFile(string path, UnixFileMode mode)
    {
        const int here = -100; // AT_FDCWD
        (_path, _mode) = (Path.GetFullPath(path), mode);
        if (FileStatus.Of(here, _path, FileStatus.NoFollow | FileStatus.NoAutomount, FileStatus.Basic, out var there) == 0
            && !there.IsRegular)
            throw new IOException($"it is {(there.IsDirectory ? "a directory" : there.IsLink ? "a link" : "no ordinary file")}");
        var folder = Path.GetDirectoryName(_path)!;
        var name = Encoding.UTF8.GetBytes(Path.GetFileName(_path));
        var mark = $"{Begin}{Convert.ToHexStringLower(SHA256.HashData(name).AsSpan(0, MarkBytes))}-";
        RemoveLeft(folder, mark);
        _own = Path.Combine(folder, mark + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes)));
        _interrupt = new Interrupt(Remove);
        try
        {
            // CreateNew follows no link and takes no file that is there. None: it is locked.
            Stream = new FileStream(_own, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }
        catch
        {
            _interrupt.Dispose();
            throw;
        }
    }

    /// <summary>What is written to it.</summary>
    public FileStream Stream { get; }

    /// <summary>Gives it its name. What was written is on the disk then.</summary>
    public void Complete()
    {
        Stream.Flush(flushToDisk: true);
        File.SetUnixFileMode(Stream.SafeFileHandle, _mode);
        lock (_gate)
        {
            if (_interrupt.Requested) throw new IOException("it was interrupted");
            File.Move(_own, _path, overwrite: true);
            _isDone = true;
        }
        Stream.Dispose();
    }

    /// <summary>Removes it, unless it is complete.</summary>
    public void Dispose()
    {
        Stream.Dispose();
        Remove();
        _interrupt.Dispose();
    }

    private void Remove()
    {
        lock (_gate)
            if (!_isDone) File.Delete(_own);
    }

    /// <summary>Removes this user's files with a mark that nobody has locked. An empty one may be about to be locked.</summary>
    private static void RemoveLeft(string folder, string mark)
    {
        if (Files.Open(folder, Files.ReadOnly | Files.DirectoryOnly, out var directory) != Errno.Ok) return;
        List<byte[]> names = [];
        _ = Tree.List(directory, names);
        foreach (var name in names.Select(Encoding.UTF8.GetString).Where(name => name.StartsWith(mark, StringComparison.Ordinal)))
        {
            const int reading = Files.ReadOnly | Files.NonBlocking;
            if (Files.OpenAt(directory, name, reading | Files.NoFollow, out var file) != Errno.Ok) continue;
            if (Files.Status(file, out var status) == Errno.Ok && status is { IsRegular: true, Size: > 0 }
                && status.Owner == Files.EffectiveUser() && Files.Lock(file) == Errno.Ok)
                _ = Files.UnlinkAt(directory, name);
            Files.Close(file);
        }
        Files.Close(directory);
    }
}
