namespace Tmem.Engine;

/// <summary>
/// Put and get as .NET's collections have them: an expected refusal is false, a caller's mistake is an exception.
/// </summary>
public sealed partial class TmemClient
{
    /// <summary>
    /// As <see cref="Get(PoolId, in ObjectId, uint, Span{byte}, out int)"/>: false if the page is missing, or damaged, which
    /// counts in <see cref="PoolStatistics.CorruptPages"/>.
    /// </summary>
    /// <param name="pool">A pool of the client's.</param>
    /// <param name="obj">The object.</param>
    /// <param name="index">The page in it.</param>
    /// <param name="page">Room for a whole page of the pool.</param>
    /// <param name="length">The page's length: a whole page, or in a precompressed pool the length it was put with.</param>
    /// <exception cref="ArgumentException">
    /// The client has no such pool, the buffer has another length, or the object id is the reserved one.
    /// </exception>
    public bool TryGet(PoolId pool, in ObjectId obj, uint index, Span<byte> page, out int length)
    {
        var status = Get(pool, obj, index, page, out length);
        if (status is not (TmemStatus.Ok or TmemStatus.Miss or TmemStatus.Corrupt)) throw Mistake(status, pool, page.Length);
        return status == TmemStatus.Ok;
    }

    /// <summary>As <see cref="Put"/>: false if the page was refused; then nothing is stored under its handle.</summary>
    /// <param name="pool">A pool of the client's.</param>
    /// <param name="obj">The object.</param>
    /// <param name="index">The page in it.</param>
    /// <param name="page">A whole page; in a precompressed pool, 1 byte to that many.</param>
    /// <param name="refusal">
    /// The reason: NoRoom, Reserved, PoolLimit, ClientLimit, Incompressible or Frozen; Ok if the page was stored.
    /// </param>
    /// <exception cref="ArgumentException">As <see cref="TryGet"/>.</exception>
    public bool TryPut(PoolId pool, in ObjectId obj, uint index, ReadOnlySpan<byte> page, out TmemStatus refusal)
    {
        refusal = Put(pool, obj, index, page);
        if (refusal is TmemStatus.NoSuchPool or TmemStatus.ForeignClient or TmemStatus.InvalidObjectId
            or TmemStatus.InvalidArgument) throw Mistake(refusal, pool, page.Length);
        return refusal == TmemStatus.Ok;
    }

    private static ArgumentException Mistake(TmemStatus status, PoolId pool, int length) => new(status switch
    {
        TmemStatus.NoSuchPool => $"there is no {pool}: it was never made, or has been destroyed",
        TmemStatus.ForeignClient => $"{pool} is another client's",
        TmemStatus.InvalidObjectId => "the object id of all ones is reserved",
        _ => $"{length} bytes are no page of {pool}",
    });
}
