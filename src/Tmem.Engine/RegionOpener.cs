using System.Runtime.CompilerServices;
using Tmem.Engine.Durability;
using Tmem.Engine.Format;
using Tmem.Engine.Native;
using Tmem.Engine.Region;

namespace Tmem.Engine;

/// <summary>
/// Determines what a region's memory and file hold, and maps it: a new region or an existing one. Memory that holds a region
/// takes precedence over the file, whose image is an older state of it.
/// </summary>
internal static unsafe class RegionOpener
{
    /// <summary>The region's memory, and its image if it has one.</summary>
    /// <param name="options">Names the memory and the file.</param>
    /// <param name="attach">Whether a region existed.</param>
    /// <param name="image">The image in the file; null without a file.</param>
    /// <param name="prepared">
    /// What <see cref="Prepare"/> returned for the same options; becomes the result, or is disposed of.
    /// </param>
    public static RegionMemory Open(EngineOptions options, out bool attach, out RegionImage? image, RegionMemory? prepared = null)
    {
        image = null;
        var memory = prepared;
        // To close on failure: the descriptor, until a mapping owns it.
        var fd = memory is null ? options.RegionDescriptor : -1;
        try
        {
            var maximum = options.MaximumCapacityBytes != 0 ? options.MaximumCapacityBytes
                : Math.Max(options.CapacityBytes, Math.Min(options.CapacityBytes, MostCapacity / 4) * 4);
            CheckCapacity(options, maximum);
            var spans = RegionLayout.SpansFor(maximum);

            image = ImageOf(options);
            if (image is null && options.RegionDescriptor < 0)
            {
                attach = false;
                memory = RegionMemory.Anonymous(Length(spans), options.LockMemory);
                Create(memory, spans);
                return memory;
            }
            var name = image?.Name ?? "the region's memory";
            if (memory is null && fd < 0) fd = RegionMemory.CreateDescriptor();
            var inMemory = IsHeld(memory?.Descriptor ?? fd, name, options.CapacityBytes, ref spans);
            // The file's contents matter only where memory holds nothing.
            var inImage = !inMemory && HasImage(image, options.CapacityBytes, ref spans);
            if (inMemory && !options.IsSuccessor && image?.IsOfAnother(spans) == true)
                throw new RegionException($"{name} is the image of another region than the one in memory; name the right one");
            if (memory is null)
            {
                memory = RegionMemory.FromDescriptor(fd, Length(spans), options.LockMemory, name);
                fd = -1;
            }
            if (memory.Length != Length(spans))
                throw new RegionException($"{name} was made anew since this process looked at it; start another");
            if (inMemory) image?.Follow(memory);
            else if (inImage) image!.Load(memory);
            else if (options.ReadOnly) throw new RegionException($"{name} holds no region");
            else
            {
                Create(memory, spans);
                image?.Make(memory);
            }
            attach = inMemory || inImage;
            return memory;
        }
        catch
        {
            image?.Dispose();
            memory?.Dispose();
            if (fd >= 0) SystemCalls.Close(fd);
            throw;
        }
    }

    private const long MostCapacity = RegionLayout.MaximumBytes / 2;

    private static void CheckCapacity(EngineOptions options, long maximum)
    {
        var problem = options.CapacityBytes > MostCapacity
            ? $"a capacity of {options.CapacityBytes} bytes is above {MostCapacity}, the most there is"
            : maximum > MostCapacity ? $"a maximum capacity of {maximum} bytes is above {MostCapacity}, the most there is"
            : maximum < options.CapacityBytes
                ? $"a maximum capacity of {maximum} bytes is below the capacity of {options.CapacityBytes}" : null;
        if (problem is not null) throw new ArgumentException(problem, nameof(options));
    }

    /// <summary>See <see cref="RegionTakeover.Prepare"/>; null if there is no region yet.</summary>
    public static RegionMemory? Prepare(EngineOptions options)
    {
        Superblock superblock = default;
        var size = Unsafe.SizeOf<Superblock>();
        if (SystemCalls.ReadAt(options.RegionDescriptor, &superblock, size, 0) != size || superblock.Magic == 0) return null;
        const string name = "the region's memory";
        var length = Length(Check(superblock, options.CapacityBytes, name));
        if (FileFacts.LengthOf(options.RegionDescriptor, name) < length) return null;
        var memory = RegionMemory.FromDescriptor(options.RegionDescriptor, length, options.LockMemory, name);
        new RegionPresence(memory, length).Dispose();
        return memory;
    }

    /// <summary>The image that the options name; null if they name none.</summary>
    private static RegionImage? ImageOf(EngineOptions options)
    {
        var file = options.ImageFile;
        if (options.RegionFileDescriptor >= 0) file = ImageFile.Adopt(options.RegionFileDescriptor, options.RegionPath);
        else if (options.RegionHandle is { } handle) file = ImageFile.Open(handle, options.RegionPath, options.ReadOnly);
        else if (options.RegionPath is { } path) file = ImageFile.Open(path, options.ReadOnly);
        return file is null ? null : new RegionImage(file, !options.WithoutWriteTracking, options.RegionDescriptor >= 0);
    }

    private static long Length(long spans) => RegionLayout.HeaderBytes(spans) + spans * RegionLayout.SpanBytes;

    private static void Create(RegionMemory memory, long spans)
    {
        if (!memory.Populate(0, RegionLayout.TablesBytes))
            throw new RegionException($"no memory for {memory.Name}; make room or lower the capacity");
        ref var superblock = ref *(Superblock*)memory.Start;
        superblock.Version = RegionLayout.PlainVersion;
        superblock.SpanBytes = RegionLayout.SpanBytes;
        superblock.SpanCount = spans;
        Volatile.Write(ref superblock.Magic, RegionLayout.Magic);
    }

    private static bool HasImage(RegionImage? image, long capacity, ref long spans)
    {
        if (image is null || !image.HasRegion()) return false;
        if (image.Superblock.Magic != RegionLayout.Magic && image.HasSpanTable())
            throw new RegionException(
                $"{image.Name} is damaged: it looks like a tmem region but for its first page, which is lost; restore it "
                + "from a copy");
        spans = Check(image.Superblock, capacity, image.Name);
        return image.FileBytes >= Length(spans) ? true : throw CutShort(image.Name, image.FileBytes, spans);
    }

    /// <summary>
    /// Whether memory given by descriptor holds a region. A process that died while creating or loading one left no superblock.
    /// </summary>
    private static bool IsHeld(int fd, string name, long capacity, ref long spans)
    {
        var length = FileFacts.LengthOf(fd, name);
        if (length == 0) return false;
        Superblock superblock = default;
        var size = Unsafe.SizeOf<Superblock>();
        if (SystemCalls.ReadAt(fd, &superblock, size, 0) == size && superblock.Magic == 0)
        {
            return SystemCalls.SetLength(fd, 0) is var error and not 0
                ? throw new RegionException($"cannot empty {name}: {FileFacts.Describe(error)}")
                : false;
        }
        var held = Check(superblock, capacity, name);
        if (length < Length(held)) throw CutShort(name, length, held);
        spans = held;
        return true;
    }

    /// <summary>Refuses anything but a region this program can serve; returns its span count.</summary>
    private static long Check(in Superblock superblock, long capacity, string name)
    {
        if (superblock.Magic != RegionLayout.Magic)
            throw new RegionException(
                $"{name} is not a tmem region (it holds something else, or its beginning is damaged); name another file, or, "
                + "if it was one, restore it from a copy");
        if (!RegionLayout.Serves(superblock.Version))
            throw new RegionException(
                $"{name} has format version {superblock.Version}, and this program serves {RegionLayout.PlainVersion} and "
                + $"{RegionLayout.Version}; use "
                + "the tmemd that made it, or name another file");
        if (superblock.SpanBytes != RegionLayout.SpanBytes || superblock.SpanCount < RegionLayout.SpansFor(1)
            || superblock.SpanCount > RegionLayout.MaximumSpans)
            throw new RegionException(
                $"{name} is damaged: its superblock says {superblock.SpanCount} spans of {superblock.SpanBytes} bytes; restore "
                + "it from a copy");
        var largest = RegionLayout.CapacityOf(superblock.SpanCount);
        if (capacity > largest)
            throw new RegionException(
                $"{name} was made for a capacity of at most {largest >> 20} MiB, and {capacity >> 20} MiB were asked for; ask "
                + "for no more than that. "
                + "A larger store needs another file: start a daemon on one, copy over what this one holds, then remove it");
        return superblock.SpanCount;
    }

    private static RegionException CutShort(string name, long length, long spans) =>
        new($"{name} is cut short: {length} bytes of {Length(spans)}; restore it from a copy");
}
