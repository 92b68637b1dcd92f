using System.Globalization;
using Tmds.Linux;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Waits;

/// <summary>As many attributes on a file as fit, listed, the last one read, the file removed; again and again.</summary>
internal sealed unsafe class AttributeLoad(LoadSizes sizes) : Load(sizes)
{
    private const int Most = 9362; // names of seven bytes with their ends fill the 64 KiB that a list may have
    private const int ListBytes = 64 << 10;

    public override void Act(int caller)
    {
        var path = At($"attributes{caller}");
        var file = Opened(path, LibC.O_RDWR | LibC.O_CREAT);
        var name = stackalloc byte[8];
        var list = stackalloc byte[ListBytes];
        "user."u8.CopyTo(new Span<byte>(name, 8));
        for (var i = 0; i < Most; i++)
        {
            (name[5], name[6], name[7]) = ((byte)(1 + i % 128), (byte)(1 + i / 128), 0);
            // A store that bounds what a user may have refuses at some number: that is as far as he gets.
            if (Native.fsetxattr(file, name, null, 0, 0) < 0) break;
            if (i % 64 == 0) _ = Native.fgetxattr(file, name, null, 0);
        }
        _ = Native.flistxattr(file, list, ListBytes);
        Must(Native.close(file), "close");
        Must(Native.unlink(path), "unlink");
    }
}

/// <summary>Files made, looked for, renamed and removed in one directory; one look-up of two finds nothing.</summary>
internal sealed class NamesLoad(LoadSizes sizes) : Load(sizes)
{
    private long _next;

    public override void Act(int caller)
    {
        var path = At($"name{Interlocked.Increment(ref _next)}");
        Must(Native.close(Opened(path, LibC.O_RDWR | LibC.O_CREAT)), "close");
        _ = Native.access(path + "-missing", 0);
        Must(Native.rename(path, path + "-new"), "rename");
        Must(Native.unlink(path + "-new"), "unlink");
    }
}

/// <summary>A directory of many files, of which one in eight has a page; stays for those that come after.</summary>
internal sealed unsafe class MakeLoad(LoadSizes sizes) : Load(sizes)
{
    public override bool Once => true;

    public override void Act(int caller)
    {
        var one = (byte)1;
        for (var i = caller; i < Sizes.Names; i += Sizes.Callers)
        {
            var file = Opened(At(i.ToString("D8", CultureInfo.InvariantCulture)), LibC.O_RDWR | LibC.O_CREAT);
            if (i % 8 == 0) Must(Native.pwrite(file, &one, 1, 0), "write");
            Must(Native.close(file), "close");
        }
    }
}

/// <summary>The large directory read from its beginning to its end.</summary>
internal sealed class ListLoad(LoadSizes sizes) : Load(sizes)
{
    public override void Act(int caller)
    {
        var directory = Native.opendir(Sizes.Folder);
        if (directory == 0) Must(-1, "opendir");
        while (Native.readdir(directory) != 0) { }
        _ = Native.closedir(directory);
    }
}

/// <summary>The large directory read backwards, a piece at a time from a place before the last.</summary>
internal sealed class BackwardsLoad(LoadSizes sizes) : Load(sizes)
{
    private const int Step = 100;
    private readonly List<nint> _places = [];

    public override void Prepare()
    {
        var directory = Native.opendir(Sizes.Folder);
        if (directory == 0) Must(-1, "opendir");
        for (var i = 0; Native.readdir(directory) != 0; i++)
            if (i % Step == 0) _places.Add(Native.telldir(directory));
        _ = Native.closedir(directory);
    }

    public override void Act(int caller)
    {
        var directory = Native.opendir(Sizes.Folder);
        if (directory == 0) Must(-1, "opendir");
        for (var i = _places.Count - 1 - caller; i >= 0; i -= Sizes.Callers)
        {
            Native.seekdir(directory, _places[i]);
            _ = Native.readdir(directory);
        }
        _ = Native.closedir(directory);
    }
}
