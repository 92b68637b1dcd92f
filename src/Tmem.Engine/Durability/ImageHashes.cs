using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Tmds.Linux;
using Tmem.Engine.Format;
using Tmem.Engine.Native;
using Tmem.Engine.Region;
using static Tmds.Linux.LibC;

namespace Tmem.Engine.Durability;

/// <summary>
/// The image's contents as a hash of each page, in shared memory behind the region's own: it outlives a worker as the memory
/// does, so that its successor finds what the image lacks by reading memory (0.3 s a GiB) and not the disk. What the dead worker
/// had written since the last collection is lost, because the kernel's tracking ends with the mapping; the present contents of a
/// page can still be hashed.
/// <para>An entry is a 63-bit XXH3 under a secret key; its lowest bit says that the image may hold something else. The bit is
/// set, with the hash of the new contents, when a page is copied to the journal, before the journal can count; it is cleared when
/// the page is durable in its place. An entry without the bit is right at any moment, so a process may die between any two
/// stores: a page whose entry has the bit, or whose memory has another hash, is written again.</para>
/// <para>Where there were no hashes (an older program had the region), or not this generation's, all is unknown until it has been
/// compared once.</para>
/// </summary>
/// <remarks>
/// Takes 8 bytes for each page the region has ever held, beside its capacity: 0.2 %. Pages of zeros have entries of zero and take
/// none.
/// </remarks>
internal sealed unsafe class ImageHashes : IDisposable
{
    private const ulong Unsure = 1;
    private const ulong ExpectedMagic = 0x31485348_4D454D54; // "TMEMHSH1"
    private const int NotInDumps = 16;

    private readonly int _descriptor;
    private readonly long _offset;
    private readonly long _length;
    private readonly long _imageBytes;
    private Header* _header;
    private ulong* _entries;

    private ImageHashes(int descriptor, long offset, long length, long imageBytes, byte* start)
    {
        (_descriptor, _offset, _length, _imageBytes) = (descriptor, offset, length, imageBytes);
        _header = (Header*)start;
        _entries = (ulong*)(start + RegionLayout.PageSize);
    }

    /// <summary>
    /// Placed behind the memory of a region in a descriptor; null if that fails, and then nothing outlives the process.
    /// </summary>
    public static ImageHashes? TryCreate(RegionMemory memory)
    {
        if (memory.Descriptor < 0) return null;
        var entries = memory.Length / RegionLayout.PageSize * sizeof(ulong);
        var length = RegionLayout.PageSize + (entries + RegionLayout.PageSize - 1 & ~(RegionLayout.PageSize - 1L));
        var whole = memory.Length + length;
        var isLong = FileFacts.LengthOf(memory.Descriptor, memory.Name) >= whole;
        if (!isLong && SystemCalls.SetLength(memory.Descriptor, whole) != 0) return null;
        var flags = MAP_SHARED | MAP_NORESERVE;
        var start = mmap(null, (size_t)(ulong)length, PROT_READ | PROT_WRITE, flags, memory.Descriptor, memory.Length);
        if (start == MAP_FAILED) return null;
        _ = SystemCalls.Advise(start, length, NotInDumps);
        return new ImageHashes(memory.Descriptor, memory.Length, length, memory.Length, (byte*)start);
    }

    /// <summary>Whether the engine that last opened this generation of the region maintained it.</summary>
    public bool IsOf(long generation) =>
        _header->Magic == ExpectedMagic && _header->ImageBytes == _imageBytes && _header->Generation == generation;

    /// <summary>Marks the hashes as maintained for a generation. Call only when every entry without the bit is right.</summary>
    public void KeepFor(long generation)
    {
        _header->ImageBytes = _imageBytes;
        Volatile.Write(ref _header->Magic, ExpectedMagic);
        Volatile.Write(ref _header->Generation, generation);
    }

    /// <summary>Forgets everything: it then says that the image is all zeros, and belongs to no generation.</summary>
    public void Empty()
    {
        Volatile.Write(ref _header->Magic, 0);
        // Gives the memory back, so that only written entries take any. Cleared where it cannot be punched.
        const int keepSizePunchHole = 1 | 2;
        if (fallocate(_descriptor, keepSizePunchHole, _offset, _length) != 0)
            new Span<byte>(_header, RegionLayout.PageSize).Clear();
        if (_entries[0] != 0 || _header->Key != 0)
            NativeMemory.Clear(_entries, (nuint)(_length - RegionLayout.PageSize));
        Span<byte> key = stackalloc byte[sizeof(long)];
        RandomNumberGenerator.Fill(key);
        _header->Key = BitConverter.ToInt64(key) | 1;
        _header->Applied = 0;
    }

    /// <summary>Before a page with this content is written to the journal.</summary>
    public void Expect(long page, ReadOnlySpan<byte> content) => Volatile.Write(ref _entries[page], HashOf(content) | Unsure);

    /// <summary>The image may hold anything in a page.</summary>
    public void Doubt(long page) => Volatile.Write(ref _entries[page], _entries[page] | Unsure);

    /// <summary>The <see cref="Journal.Mark"/> of the last journal that was applied.</summary>
    public ulong Applied => _header->Applied;

    /// <summary>The pages of a journal are durable in their places, as last expected.</summary>
    public void Trust(PageSet pages, ulong journal)
    {
        Volatile.Write(ref _header->Applied, journal);
        for (long from = 0; pages.NextRun(from, long.MaxValue, out var first, out var count); from = first + count)
            for (var page = first; page < first + count; page++) Volatile.Write(ref _entries[page], _entries[page] & ~Unsure);
    }

    /// <summary>A page is durable in its place with this content.</summary>
    public void Trust(long page, ReadOnlySpan<byte> content) => Volatile.Write(ref _entries[page], HashOf(content));

    /// <summary>For tests: false if an entry asserts that the image holds something else.</summary>
    internal bool Allows(long page, ReadOnlySpan<byte> content) => (_entries[page] & Unsure) != 0
        || _entries[page] == HashOf(content);

    /// <summary>Adds the pages of the memory below an offset that may differ from the image.</summary>
    public void Compare(RegionMemory memory, long used, PageSet differing, IChangeTracker tracker)
    {
        const int piece = 256 << 10;
        var buffer = (byte*)NativeMemory.AlignedAlloc(piece, RegionLayout.PageSize);
        for (long at = 0; at < used; at += piece)
        {
            var bytes = (int)Math.Min(piece, used - at);
            memory.Read(at, buffer, bytes);
            for (var i = 0; i < bytes; i += RegionLayout.PageSize)
            {
                var page = (at + i) / RegionLayout.PageSize;
                var content = new ReadOnlySpan<byte>(buffer + i, RegionLayout.PageSize);
                if (_entries[page] == HashOf(content)) tracker.Taken(page, content);
                else differing.Add(page);
            }
        }
        NativeMemory.AlignedFree(buffer);
    }

    public void Dispose()
    {
        if (_header == null) return;
        _ = munmap(_header, (size_t)(ulong)_length);
        _header = null;
        _entries = null;
    }

    private ulong HashOf(ReadOnlySpan<byte> content)
    {
        if (content.IndexOfAnyExcept((byte)0) < 0) return 0;
        // 0 stands for a page of zeros only.
        return Math.Max(XxHash3.HashToUInt64(content, _header->Key) & ~Unsure, Unsure << 1);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        public ulong Magic;
        public long Generation;
        public long ImageBytes;
        public long Key;
        public ulong Applied;
    }
}
