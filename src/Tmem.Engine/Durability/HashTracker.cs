using System.IO.Hashing;
using System.Runtime.InteropServices;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Durability;

/// <summary>
/// For kernels without write tracking: a 64-bit XXH3 of each page as the image last took it, or as it was last collected. Each
/// collection reads the whole store, some 0.3 us a page, so standstills are longer. Treating every page as changed would write
/// the whole store during the standstill. A hash of 0 stands for a page of zeros.
/// </summary>
internal sealed unsafe class HashTracker : IChangeTracker
{
    private const int PagesARead = 64;

    private readonly RegionMemory _memory;
    private byte* _buffer = (byte*)NativeMemory.AlignedAlloc(PagesARead * RegionLayout.PageSize, RegionLayout.PageSize);
    private ulong* _hashes;

    public HashTracker(RegionMemory memory)
    {
        _memory = memory;
        _hashes = (ulong*)NativeMemory.AllocZeroed((nuint)(memory.Length / RegionLayout.PageSize), sizeof(ulong));
    }

    public ChangeTracking Kind => ChangeTracking.Hashes;

    /// <summary>Nothing to do: a page that reads as zeros has another hash.</summary>
    public void Punched(long offset, long length) { }

    public void Collect(PageSet changed, long start, long end)
    {
        for (var at = start; at < end; at += PagesARead * RegionLayout.PageSize)
        {
            var bytes = (int)Math.Min(PagesARead * RegionLayout.PageSize, end - at);
            _memory.Read(at, _buffer, bytes);
            for (var i = 0; i < bytes; i += RegionLayout.PageSize)
            {
                var hash = HashOf(new ReadOnlySpan<byte>(_buffer + i, RegionLayout.PageSize));
                var page = (at + i) / RegionLayout.PageSize;
                if (_hashes[page] == hash) continue;
                _hashes[page] = hash;
                changed.Add(page);
            }
        }
    }

    public void Taken(long page, ReadOnlySpan<byte> content) => _hashes[page] = HashOf(content);

    public void Dispose()
    {
        NativeMemory.AlignedFree(_buffer);
        NativeMemory.Free(_hashes);
        _buffer = null;
        _hashes = null;
    }

    private static ulong HashOf(ReadOnlySpan<byte> content) =>
        content.IndexOfAnyExcept((byte)0) < 0 ? 0 : XxHash3.HashToUInt64(content) | 1;
}
