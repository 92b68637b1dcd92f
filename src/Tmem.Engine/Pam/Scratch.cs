using System.Runtime.InteropServices;

namespace Tmem.Engine.Pam;

/// <summary>
/// One thread's working memory: a page on its way into the store and one on its way out. Native, touched when made, and freed with the
/// thread, so that the data path allocates nothing.
/// </summary>
internal sealed unsafe class Scratch
{
    /// <summary>Room for a stored page of the largest size, and for an encoder that writes a little past what it keeps.</summary>
    public const int Bytes = 2 * RegionPage;
    private const int RegionPage = Region.RegionLayout.PageSize;

    [ThreadStatic] private static Scratch? t_current;

    private readonly byte* _in;
    private readonly byte* _out;

    private Scratch()
    {
        _in = (byte*)NativeMemory.AlignedAlloc(2 * Bytes, 64);
        _out = _in + Bytes;
        NativeMemory.Fill(_in, 2 * Bytes, 0);
    }

    ~Scratch() => NativeMemory.AlignedFree(_in);

    public static Scratch Current => t_current ??= new Scratch();

    /// <summary>Where a page is compressed to.</summary>
    public Span<byte> Compressed => new(_in, Bytes);

    /// <summary>Where a stored page is copied to under the latch.</summary>
    public Span<byte> Stored => new(_out, Bytes);

    // What Grab found; Unpack's input.
    public ulong Fill;
    public int Length;
    public int Codec;
    public uint Checksum;
    public GrabKind Kind;
}

/// <summary>What a grab found.</summary>
internal enum GrabKind : byte { Stored, Fill, Damaged }
