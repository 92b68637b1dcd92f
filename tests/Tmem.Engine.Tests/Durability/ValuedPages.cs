namespace Tmem.Engine.Tests.Durability;

/// <summary>
/// Pages of one object that each have a value: the first bytes of a page hold it, and all others follow from it.
/// </summary>
/// <param name="make">The page of a value.</param>
internal sealed class ValuedPages(Func<int, int, byte[]> make)
{
    private static readonly TmemClientId s_client = new(1);
    private static readonly ObjectId s_object = new(1);

    /// <summary>A new pool in which each of the first pages has its index as value.</summary>
    public PoolId Fill(TmemEngine engine, int pages)
    {
        var pool = Engines.Pool(engine.Client(s_client));
        Fill(engine, pool, 0, pages);
        return pool;
    }

    public void Fill(TmemEngine engine, PoolId pool, int from, int to)
    {
        for (var i = from; i < to; i++) Put(engine, pool, (uint)i, i);
    }

    public void Put(TmemEngine engine, PoolId pool, uint index, int value) =>
        Assert.Equal(TmemStatus.Ok, engine.Client(s_client).Replace(pool, s_object, index, Page(value)));

    /// <summary>The value that a page was put with; -1 if there is none.</summary>
    public int Value(TmemEngine engine, PoolId pool, uint index)
    {
        var page = new byte[Pages.Size];
        if (engine.Client(s_client).Get(pool, s_object, index, page) != TmemStatus.Ok) return -1;
        var value = BitConverter.ToInt32(page);
        Assert.Equal(Page(value), page);
        return value;
    }

    /// <summary>The pool has exactly so many pages, each with its index as value.</summary>
    public void AssertHolds(TmemEngine engine, PoolId pool, int pages)
    {
        Assert.True(engine.Attached);
        Assert.Equal(pages, Engines.Figures(engine.Client(s_client), pool).Pages);
        for (var i = 0; i < pages; i++) Assert.Equal(i, Value(engine, pool, (uint)i));
    }

    private byte[] Page(int value)
    {
        var page = make(value, Pages.Size);
        BitConverter.TryWriteBytes(page, value);
        return page;
    }
}
