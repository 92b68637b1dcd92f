using Tmds.Linux;

namespace Tmem.Soak;

/// <summary>A region that outlives its engines: a memfd kept open here, or a file.</summary>
internal sealed unsafe class SoakRegion : IDisposable
{
    private readonly string? _path;
    private readonly long _capacity;
    private readonly int _descriptor = -1;

    public SoakRegion(string? path, long capacity)
    {
        _path = path;
        _capacity = capacity;
        if (path is not null) return;
        fixed (byte* name = "tmem-soak\0"u8) _descriptor = LibC.memfd_create(name, LibC.MFD_CLOEXEC);
        if (_descriptor < 0) throw new InvalidOperationException("memfd_create failed");
    }

    /// <summary>Makes the region the first time, attaches to it from then on.</summary>
    public TmemEngine Open() => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = _capacity,
        RegionPath = _path,
        // The engine closes what it is given; the memory lives as long as this one's own descriptor does.
        RegionDescriptor = _path is null ? LibC.dup(_descriptor) : -1,
    });

    /// <summary>Removes the file. After a failure it is left for whoever looks for the cause.</summary>
    public void Delete()
    {
        if (_path is not null) File.Delete(_path);
    }

    public void Dispose()
    {
        if (_descriptor >= 0) _ = LibC.close(_descriptor);
    }
}
