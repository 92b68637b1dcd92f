using System.Runtime.InteropServices;
using Tmem.Engine.Codec;

namespace Tmem.Engine.Pam;

/// <summary>
/// One thread's working memory: a page on its way into the store, a run of them on its way out, and one whole. Native, touched
/// when made, and passed on to a later thread (<see cref="ThreadHeirlooms{T}"/>), so that the data path allocates nothing and
/// short-lived threads leak nothing. It is made for the page size first requested and grows, once, when the thread meets a pool
/// of larger pages: a daemon that serves only 4 KiB pages locks 24 KiB a thread and not 192.
/// </summary>
internal sealed unsafe class Scratch
{
    /// <summary>
    /// Stored bytes that a get of a run copies under one hold of a latch, if a page is not larger: half of the processor's
    /// first-level cache, and no slower than twice as much.
    /// </summary>
    private const int RunBytes = 16 << 10;

    private static readonly ThreadHeirlooms<Scratch> s_all = new();
    [ThreadStatic] private static Scratch? t_current;

    private readonly byte* _buffers;
    private readonly int _size;

    private Scratch(int pageSize)
    {
        _size = pageSize;
        _buffers = (byte*)NativeMemory.AlignedAlloc((nuint)Bytes, 64);
        NativeMemory.Fill(_buffers, (nuint)Bytes, 0);
    }

    ~Scratch() => NativeMemory.AlignedFree(_buffers);

    /// <summary>The calling thread's, with room for pages of this size.</summary>
    public static Scratch For(int pageSize)
    {
        var current = t_current;
        return current is not null && current._size >= pageSize ? current : t_current = First(pageSize);
    }

    /// <summary>The bytes of all threads' scratch.</summary>
    public static long AllBytes => s_all.Sum(one => (long)one.Bytes);

    private int StoredBytes => Math.Max(_size, RunBytes);

    private int Bytes => 2 * _size + StoredBytes;

    private static Scratch First(int pageSize) => s_all.Mine(one => one._size >= pageSize, () => new Scratch(pageSize));

    /// <summary>The target of compression.</summary>
    public Span<byte> Compressed => new(_buffers, _size);

    /// <summary>The target of unpacking when only a part of the page is needed.</summary>
    public Span<byte> Page => new(_buffers + _size, _size);

    /// <summary>The target of copies of stored pages under the latch. No stored form is longer than its page.</summary>
    public Span<byte> Stored => new(_buffers + 2 * _size, StoredBytes);
}
