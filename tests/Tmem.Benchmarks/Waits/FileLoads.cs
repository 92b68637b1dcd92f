using Tmds.Linux;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Waits;

/// <summary>
/// Threads that use the processors and nothing of tmem: what a wait costs on this machine for want of a processor.
/// </summary>
internal sealed class ComputeLoad(LoadSizes sizes) : Load(sizes)
{
    public override void Act(int caller) => Thread.SpinWait(100_000);
}

/// <summary>A large file without holes. Its pages are same-filled and take no room: what costs is how many there are.</summary>
internal abstract unsafe class DenseFileLoad(LoadSizes sizes) : Load(sizes)
{
    private const int Part = 1 << 20;

    protected int File { get; private set; }

    public override void Prepare()
    {
        File = Opened(At("dense"), LibC.O_RDWR | LibC.O_CREAT | LibC.O_TRUNC);
        Fill(File, Sizes.Bytes, shrinks: true);
    }

    public override void Clean()
    {
        _ = Native.close(File);
        _ = Native.unlink(At("dense"));
    }

    /// <summary>Writes all of a file; <paramref name="shrinks"/>: pages of one byte, else such as compress to half.</summary>
    public static void Fill(int descriptor, long bytes, bool shrinks)
    {
        using var part = new AnonymousMemory(Part);
        var random = new Random(7);
        new Span<byte>(part.Page(0), Part).Fill(7);
        for (long at = 0; at < bytes; at += Part)
        {
            if (!shrinks)
                for (var page = 0; page < Part / PageFile.PageSize; page++)
                    random.NextBytes(new Span<byte>(part.Page(page), 2048));
            Must(Native.pwrite(descriptor, part.Page(0), (nuint)Math.Min(Part, bytes - at), at), "write");
        }
    }
}

/// <summary>lseek(SEEK_HOLE) from the beginning of a file that has none, as cp and tar do it.</summary>
internal sealed class SeekLoad(LoadSizes sizes) : DenseFileLoad(sizes)
{
    public override void Act(int caller) => Must(Native.lseek(File, 0, Native.SeekHole), "lseek");
}

/// <summary>
/// Large files without holes, one for each caller, who all act at once: more of them than the daemon has threads.
/// </summary>
internal abstract class DenseFilesLoad(LoadSizes sizes) : Load(sizes)
{
    private int[] _files = [];

    public override bool Once => true;

    public override void Prepare()
    {
        _files = [.. Enumerable.Range(0, Sizes.Callers).Select(i => Opened(Name(i), LibC.O_RDWR | LibC.O_CREAT | LibC.O_TRUNC))];
        foreach (var file in _files) DenseFileLoad.Fill(file, Sizes.Bytes, shrinks: true);
    }

    public override void Clean()
    {
        foreach (var file in _files) _ = Native.close(file);
        for (var i = 0; i < _files.Length; i++) _ = Native.unlink(Name(i));
    }

    protected string Name(int caller) => At($"dense{caller}");

    protected int FileOf(int caller) => _files[caller];
}

/// <summary>Large files cut to nothing.</summary>
internal sealed class TruncateLoad(LoadSizes sizes) : DenseFilesLoad(sizes)
{
    public override void Act(int caller) => Must(Native.ftruncate(FileOf(caller), 0), "truncate");
}

/// <summary>One hole over all of each of the large files.</summary>
internal sealed class PunchLoad(LoadSizes sizes) : DenseFilesLoad(sizes)
{
    public override void Act(int caller) =>
        Must(Native.fallocate(FileOf(caller), Native.PunchHoleKeepSize, 0, Sizes.Bytes), "punch");
}

/// <summary>Large files removed and then closed, which is when their pages go.</summary>
internal sealed class RemoveLoad(LoadSizes sizes) : DenseFilesLoad(sizes)
{
    // The kernel tells of the last close after close(2) has returned.
    private static readonly TimeSpan s_afterClose = TimeSpan.FromMilliseconds(500);

    public override void Act(int caller)
    {
        Must(Native.unlink(Name(caller)), "unlink");
        Must(Native.close(FileOf(caller)), "close");
        Thread.Sleep(s_afterClose);
    }

    public override void Clean() { }
}

/// <summary>Files of data that takes room, all made durable at once.</summary>
internal sealed class SyncLoad(LoadSizes sizes) : Load(sizes)
{
    private int[] _files = [];

    public override bool Once => true;

    public override void Prepare()
    {
        _files = [.. Enumerable.Range(0, Sizes.Callers).Select(i => Opened(At($"sync{i}"), LibC.O_RDWR | LibC.O_CREAT))];
        foreach (var file in _files) DenseFileLoad.Fill(file, Sizes.Bytes / _files.Length, shrinks: false);
    }

    public override void Act(int caller) => Must(Native.fsync(_files[caller]), "fsync");

    public override void Clean()
    {
        foreach (var file in _files) _ = Native.close(file);
        for (var i = 0; i < _files.Length; i++) _ = Native.unlink(At($"sync{i}"));
    }
}
