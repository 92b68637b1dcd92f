using Tmds.Linux;

namespace Tmem.Soak;

/// <summary>Where a bit is flipped; from the persistent pages on, the kind of a span (docs/region-format.md).</summary>
internal enum FlipArea { Superblock, PoolTable, SpanTable, PersistentPages, EphemeralPages, Nodes, Objects, Records }

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
    public TmemEngine Open(bool dropDamaged = false) => TmemEngine.Open(new EngineOptions
    {
        CapacityBytes = _capacity,
        RegionPath = _path,
        // The engine closes what it is given; the memory lives as long as this one's own descriptor does.
        RegionDescriptor = _path is null ? LibC.dup(_descriptor) : -1,
        DropDamaged = dropDamaged,
        HugePages = true,
    });

    /// <summary>
    /// Flips a bit of a word that is not 0, through the descriptor: a region in use is not asked. Superblock, pool table, span
    /// table and each of the five kinds of spans get equal shares (docs/region-format.md has the places).
    /// </summary>
    public string Flip(Random random, out FlipArea area)
    {
        const long poolTable = 12 << 10, spanTable = 64 << 10;
        var spans = (long)Word(16);
        var span = (long)(Word(8) >> 32);
        var start = spanTable + ((spans * 32 + 4095) & ~4095L);
        area = (FlipArea)random.Next(8);
        while (true)
        {
            var offset = area switch
            {
                FlipArea.Superblock => random.NextInt64(64),
                FlipArea.PoolTable => poolTable + random.NextInt64(4 * 64),
                FlipArea.SpanTable => spanTable + random.NextInt64(64 * 32),
                _ => start + random.NextInt64(64) * span
                    + (random.Next(2) == 0 ? random.NextInt64(2048) : random.NextInt64(span)),
            } & ~7L;
            // The kind of a span is the first byte of its entry.
            if (area > FlipArea.SpanTable && (byte)Word(spanTable + (offset - start) / span * 32) != area - FlipArea.SpanTable)
                continue;
            var word = Word(offset);
            if (word == 0) continue;
            var bit = random.Next(64);
            word ^= 1UL << bit;
            _ = LibC.pwrite(_descriptor, &word, sizeof(ulong), offset);
            return $"bit {bit} of the word at {offset:x} ({area})";
        }
    }

    private ulong Word(long offset)
    {
        ulong word = 0;
        return LibC.pread(_descriptor, &word, sizeof(ulong), offset) == sizeof(ulong) ? word : 0;
    }

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
