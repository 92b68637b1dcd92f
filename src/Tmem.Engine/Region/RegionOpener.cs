using System.Runtime.CompilerServices;
using Tmds.Linux;

namespace Tmem.Engine.Region;

/// <summary>Finds out what a region's file or descriptor holds, and maps it: a new region, or one that was there.</summary>
internal static unsafe class RegionOpener
{
    public static RegionMemory Open(EngineOptions options, out bool attach)
    {
        attach = false;
        var maximum = options.MaximumCapacityBytes != 0 ? options.MaximumCapacityBytes : options.CapacityBytes * 4;
        if (maximum < options.CapacityBytes || maximum > RegionLayout.MaximumBytes / 2)
            throw new ArgumentException($"a maximum capacity of {maximum} bytes is below the capacity or above {RegionLayout.MaximumBytes / 2}", nameof(options));
        var spans = RegionLayout.SpansFor(maximum);

        if (options.RegionPath is null && options.RegionDescriptor < 0)
            return Create(RegionMemory.Anonymous(Length(spans), options.LockMemory), spans);

        var fd = options.RegionDescriptor;
        var name = NameOf(options);
        long length;
        if (fd < 0) fd = RegionMemory.OpenFile(options.RegionPath!, out length);
        else length = RegionMemory.LengthOf(fd, name);

        try
        {
            if (length > 0)
            {
                spans = CheckSuperblock(fd, length, options.CapacityBytes, name);
                attach = true;
            }
        }
        catch
        {
            _ = LibC.close(fd);
            throw;
        }
        var memory = RegionMemory.FromDescriptor(fd, Length(spans), options.LockMemory, name);
        return attach ? memory : Create(memory, spans);
    }

    /// <summary>See <see cref="TmemEngine.HoldsRegion"/>.</summary>
    public static bool Holds(EngineOptions options)
    {
        var name = NameOf(options);
        var length = RegionMemory.LengthOf(options.RegionDescriptor, name);
        if (length > 0) CheckSuperblock(options.RegionDescriptor, length, options.CapacityBytes, name);
        return length > 0;
    }

    private static string NameOf(EngineOptions options) => options.RegionPath is { } path ? $"region file '{path}'" : "the region's memory";

    private static long Length(long spans) => RegionLayout.HeaderBytes(spans) + spans * RegionLayout.SpanBytes;

    private static RegionMemory Create(RegionMemory memory, long spans)
    {
        if (!memory.Populate(0, RegionLayout.TablesBytes))
        {
            memory.Dispose();
            throw new RegionException($"no memory (or no disk space) for {memory.Name}; make room or lower the capacity");
        }
        ref var superblock = ref *(Superblock*)memory.Start;
        superblock.Version = RegionLayout.Version;
        superblock.SpanBytes = RegionLayout.SpanBytes;
        superblock.SpanCount = spans;
        Volatile.Write(ref superblock.Magic, RegionLayout.Magic);
        return memory;
    }

    /// <summary>Refuses whatever is not a region this program can serve; returns its span count.</summary>
    private static long CheckSuperblock(int fd, long length, long capacity, string name)
    {
        Superblock superblock = default;
        var size = Unsafe.SizeOf<Superblock>();
        if (LibC.pread(fd, &superblock, (size_t)(ulong)size, 0) != size || superblock.Magic != RegionLayout.Magic)
            throw new RegionException($"{name} is not a tmem region (it holds something else); name another file, or remove this one if it is of no use");
        if (superblock.Version != RegionLayout.Version)
            throw new RegionException($"{name} has format version {superblock.Version}, and this program serves version {RegionLayout.Version}; use the tmemd that made it, or remove it to start empty");
        if (superblock.SpanBytes != RegionLayout.SpanBytes || superblock.SpanCount < RegionLayout.SpansFor(1) || superblock.SpanCount > RegionLayout.MaximumBytes / RegionLayout.SpanBytes)
            throw new RegionException($"{name} is damaged: its superblock says {superblock.SpanCount} spans of {superblock.SpanBytes} bytes; restore it from a copy, or remove it to start empty");
        var whole = Length(superblock.SpanCount);
        if (length < whole)
            throw new RegionException($"{name} is cut short: {length} bytes of {whole}; restore it from a copy, or remove it to start empty");
        var largest = RegionLayout.CapacityOf(superblock.SpanCount);
        if (capacity > largest)
            throw new RegionException($"{name} was made for a capacity of at most {largest} bytes, and {capacity} was asked for; ask for less, or remove it to start with a larger one");
        return superblock.SpanCount;
    }
}
