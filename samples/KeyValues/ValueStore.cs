using System.Buffers.Binary;
using System.Text;
using Tmem.Engine;

namespace KeyValues;

/// <summary>
/// Values by key. A key is an object, whose first page says where in the object the value's pages are. A new value is written
/// beside the old one, and one put of that first page switches to it: whatever is refused or cut short before leaves the old
/// value, and pages that nothing names go with the next set.
/// </summary>
internal sealed class ValueStore(TmemClient client, PoolId pool)
{
    // Two places for a value's pages, and the value in use is in one of them.
    private const uint Low = 1, High = 1u << 31;

    public TmemStatus Set(string name, string text)
    {
        var key = ObjectId.FromKey(name);
        // Without a first page, or with a damaged one, there is no value to keep.
        Find(key, out var old, out _);
        var place = Other(old);
        var value = Encoding.UTF8.GetBytes(text);
        Free(key, place);
        var status = client.PutRange(pool, key, place, Pages(value, value.Length), out _);
        // Replace keeps the page that it cannot replace, where Put drops it.
        if (status == TmemStatus.Ok) status = client.Replace(pool, key, 0, Head(place, value.Length));
        Free(key, status == TmemStatus.Ok ? Other(place) : place);
        return status;
    }

    public TmemStatus Get(string name, out string text)
    {
        text = "";
        var key = ObjectId.FromKey(name);
        var status = Find(key, out var place, out var length);
        if (status != TmemStatus.Ok) return status;
        var pages = Pages([], length);
        status = client.GetRange(pool, key, place, pages, new TmemStatus[pages.Length / TmemClient.PageSize]);
        // The first page names all of them, so one that is missing is a value that is damaged.
        if (status == TmemStatus.Miss) status = TmemStatus.Corrupt;
        if (status == TmemStatus.Ok) text = Encoding.UTF8.GetString(pages, 0, length);
        return status;
    }

    public TmemStatus Remove(string name)
    {
        var key = ObjectId.FromKey(name);
        var status = client.FlushPage(pool, key, 0);
        client.FlushObject(pool, key);
        return status;
    }

    private TmemStatus Find(ObjectId key, out uint place, out int length)
    {
        var page = new byte[TmemClient.PageSize];
        var status = client.Get(pool, key, 0, page);
        place = BinaryPrimitives.ReadUInt32LittleEndian(page);
        length = BinaryPrimitives.ReadInt32LittleEndian(page.AsSpan(sizeof(uint)));
        return status == TmemStatus.Ok && (place is not (Low or High) || length < 0) ? TmemStatus.Corrupt : status;
    }

    private static uint Other(uint place) => place == Low ? High : Low;

    private void Free(ObjectId key, uint place) =>
        client.FlushRange(pool, key, place, place == Low ? High - 1 : uint.MaxValue, out _);

    private static byte[] Head(uint place, int length)
    {
        var page = new byte[TmemClient.PageSize];
        BinaryPrimitives.WriteUInt32LittleEndian(page, place);
        BinaryPrimitives.WriteInt32LittleEndian(page.AsSpan(sizeof(uint)), length);
        return page;
    }

    /// <summary>So many bytes in whole pages, one at least.</summary>
    private static byte[] Pages(ReadOnlySpan<byte> bytes, int length)
    {
        var pages = new byte[(length / TmemClient.PageSize + 1) * TmemClient.PageSize];
        bytes.CopyTo(pages);
        return pages;
    }
}
