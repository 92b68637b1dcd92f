using System.Numerics;
using ZstdSharp.Unsafe;

namespace Tmem.Engine.Codec;

/// <summary>
/// A Zstandard dictionary ready for use: tables over content that lies in the region and stays there as long as this does. The
/// tables to unpack with take 27 KiB, those to compress with some ten times as much; so only the dictionaries in which new pages
/// are stored have the second (<see cref="Digest"/>).
/// <para>Frames have no magic number, no content size, no checksum and no dictionary's number: the page's format, its pool and
/// its slot say all of that, and 1 in 100 of a page is at stake.</para>
/// </summary>
internal sealed unsafe class ZstdDictionary : IDisposable
{
    private readonly byte* _content;
    private readonly int _length;
    private ZSTD_DDict_s* _unpacking;
    private ZSTD_CDict_s* _compressing;

    private ZstdDictionary(byte* content, int length, ZSTD_DDict_s* unpacking)
    {
        _content = content;
        _length = length;
        _unpacking = unpacking;
    }

    /// <summary>Null if the content is no dictionary, or there is no memory for its tables.</summary>
    public static ZstdDictionary? Over(byte* content, int length)
    {
        var unpacking = Methods.ZSTD_createDDict_advanced(content, (nuint)length, ZSTD_dictLoadMethod_e.ZSTD_dlm_byRef,
            ZSTD_dictContentType_e.ZSTD_dct_fullDict, default);
        return unpacking == null ? null : new ZstdDictionary(content, length, unpacking);
    }

    /// <summary>Memory of the tables, without the content.</summary>
    public long Bytes => (long)(Methods.ZSTD_sizeof_DDict(_unpacking)
        + (_compressing == null ? 0 : Methods.ZSTD_sizeof_CDict(_compressing)));

    /// <summary>Whether pages can be compressed with it.</summary>
    public bool IsDigested => _compressing != null;

    internal ZSTD_CDict_s* Compressing => _compressing;

    /// <summary>Makes the tables to compress pages of this size with. False if there is no memory for them.</summary>
    public bool Digest(int level, int pageSize)
    {
        if (_compressing != null) return true;
        var parameters = Methods.ZSTD_getCParams(level, (ulong)pageSize, (nuint)_length);
        // One place for each byte of the dictionary: twice as many gain nothing, and are 320 KiB more.
        parameters.hashLog = Math.Min(parameters.hashLog, (uint)BitOperations.Log2((uint)_length));
        _compressing = Methods.ZSTD_createCDict_advanced(_content, (nuint)_length, ZSTD_dictLoadMethod_e.ZSTD_dlm_byRef,
            ZSTD_dictContentType_e.ZSTD_dct_fullDict, parameters, default);
        return _compressing != null;
    }

    /// <summary>Frees the tables to compress with.</summary>
    public void Forget()
    {
        if (_compressing == null) return;
        _ = Methods.ZSTD_freeCDict(_compressing);
        _compressing = null;
    }

    /// <summary>Unpacks to exactly a page. Any thread, at any time before <see cref="Dispose"/>.</summary>
    public bool Decode(ReadOnlySpan<byte> stored, Span<byte> page)
    {
        var contexts = ZstdContexts.Take();
        fixed (byte* from = stored, to = page)
        {
            var length = Methods.ZSTD_decompress_usingDDict(contexts.Decompress, to, (nuint)page.Length, from,
                (nuint)stored.Length, _unpacking);
            contexts.GiveBack();
            return length == (nuint)page.Length;
        }
    }

    public void Dispose()
    {
        Forget();
        if (_unpacking == null) return;
        _ = Methods.ZSTD_freeDDict(_unpacking);
        _unpacking = null;
    }
}
