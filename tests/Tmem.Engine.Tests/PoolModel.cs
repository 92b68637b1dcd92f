namespace Tmem.Engine.Tests;

/// <summary>
/// A pool beside a dictionary that gives the expected answers. Each operation runs on both, and the results are compared.
/// </summary>
internal sealed class PoolModel
{
    private const PoolFlags Precompressed = PoolFlags.Precompressed;

    /// <summary>Neighbours in pairs, so that pages can be exchanged between pools of one kind.</summary>
    public static readonly PoolFlags[] Kinds =
    [
        PoolFlags.Persistent, PoolFlags.Persistent, PoolFlags.None, PoolFlags.Shared, PoolFlags.None,
        PoolFlags.Persistent | Precompressed, Precompressed,
    ];

    private readonly TmemClient _client;
    private readonly PoolOptions _options;
    private readonly int _size;
    private readonly bool _tight;
    private readonly byte[] _page;
    private readonly SortedDictionary<(ulong Object, uint Index), byte[]> _pages = [];
    private PoolId _pool;
    private long _limit;
    private bool _wasLimited;

    /// <param name="client">Owns the pool.</param>
    /// <param name="number">Which of <see cref="Kinds"/>.</param>
    /// <param name="size">Bytes of a page.</param>
    /// <param name="codec">The codec, unless pages come compressed.</param>
    /// <param name="tight">The store is small: puts may be refused, ephemeral pages may vanish.</param>
    public PoolModel(TmemClient client, int number, int size, TmemCodec codec, bool tight)
    {
        var isPrecompressed = (Kinds[number] & Precompressed) != 0;
        _client = client;
        _options = new PoolOptions(Kinds[number].WithPageSize(size), Codec: isPrecompressed ? TmemCodec.Page : codec);
        _size = size;
        _tight = tight;
        _page = new byte[size];
        Create();
    }

    private bool IsPersistent => (_options.Flags & PoolFlags.Persistent) != 0;
    private bool IsPrecompressed => (_options.Flags & Precompressed) != 0;
    private bool GetConsumes => (_options.Flags & (PoolFlags.Persistent | PoolFlags.Shared)) == 0;
    private bool MayVanish => (_tight || _wasLimited) && !IsPersistent;
    private long Memory
    {
        get
        {
            var figures = Engines.Figures(_client, _pool);
            return figures.SlotBytes + figures.IndexBytes + figures.RecordBytes;
        }
    }

    /// <summary>Most that one page takes: its slot, and an object with a path of nodes.</summary>
    private long MostOfAPage => _size + _size / 8 + 8192;

    /// <summary>
    /// A new limit holds at once: an ephemeral pool is within it, and a persistent one has lost nothing. Below 0 there is none.
    /// </summary>
    public void Limit(long bytes)
    {
        var status = _client.Limit(_pool, bytes);
        Assert.Equal(bytes < 0 ? TmemStatus.InvalidArgument : TmemStatus.Ok, status);
        Assert.Equal(TmemStatus.Ok, _client.PoolInfo(_pool, out var info));
        if (bytes >= 0) _limit = bytes;
        _wasLimited |= bytes > 0;
        Assert.Equal(_limit, info!.Options.LimitBytes);
        if (_limit > 0 && !IsPersistent) Assert.InRange(Memory, 0, _limit);
        if (IsPersistent) Assert.Equal(_pages.Count, info.Statistics.Pages);
    }

    public void Recode(TmemCodec codec)
    {
        var status = _client.Recode(_pool, codec);
        var isKnown = codec <= TmemCodec.Zstd;
        if (!isKnown) Assert.Equal(TmemStatus.UnsupportedCodec, status);
        else Assert.Equal(IsPrecompressed && codec != TmemCodec.Page ? TmemStatus.InvalidFlags : TmemStatus.Ok, status);
        Assert.Equal(TmemStatus.Ok, _client.PoolInfo(_pool, out var info));
        if (status == TmemStatus.Ok) Assert.Equal(codec, info!.Options.Codec);
    }

    public void Put(ulong obj, uint index, int seed, bool replace)
    {
        var page = Page(seed);
        var before = Memory;
        var status = replace ? _client.Replace(_pool, Id(obj), index, page) : _client.Put(_pool, Id(obj), index, page);
        var after = Memory;
        Assert.True(_limit == 0 || after <= Math.Max(before, _limit), $"{after} of {_limit}, {before} before");
        if (status == TmemStatus.Ok)
        {
            _pages[(obj, index)] = page;
            return;
        }
        AssertRefused(status, before);
        if (!replace) _pages.Remove((obj, index));
    }

    public void Get(ulong obj, uint index)
    {
        var status = _client.Get(_pool, Id(obj), index, _page, out var length);
        if (!Found(obj, index, status, out var expected)) return;
        Assert.Equal(expected, _page[..length]);
        if (GetConsumes) _pages.Remove((obj, index));
    }

    public void PutRun(ulong obj, uint first, int count, int seed)
    {
        var pages = Enumerable.Range(seed, count).Select(Page).ToArray();
        var before = Memory;
        var status = _client.PutRange(_pool, Id(obj), first, Joined(pages), out var stored);
        if (IsRefusedRun(first, count, status)) return;
        for (var i = 0; i < stored; i++) _pages[(obj, first + (uint)i)] = pages[i];
        Assert.Equal(status == TmemStatus.Ok, stored == count);
        if (status == TmemStatus.Ok) return;
        AssertRefused(status, before + stored * MostOfAPage);
        _pages.Remove((obj, first + (uint)stored));
    }

    public void GetRun(ulong obj, uint first, int count)
    {
        var pages = new byte[count * _size];
        Array.Fill(pages, (byte)0xEE);
        var outcomes = new TmemStatus[count];
        var status = _client.GetRange(_pool, Id(obj), first, pages, outcomes);
        if (IsRefusedRun(first, count, status)) return;
        Assert.Equal(outcomes.All(one => one == TmemStatus.Ok) ? TmemStatus.Ok : TmemStatus.Miss, status);
        for (var i = 0; i < count; i++)
        {
            var page = pages[(i * _size)..((i + 1) * _size)];
            if (!Found(obj, first + (uint)i, outcomes[i], out var expected)) expected = new byte[_size];
            Assert.Equal(expected, page);
            if (GetConsumes) _pages.Remove((obj, first + (uint)i));
        }
    }

    public void Read(ulong obj, uint index, int from, int to)
    {
        var (offset, length) = Part(from, to);
        var part = new byte[length];
        var status = _client.Read(_pool, Id(obj), index, offset, part);
        if (IsRefusedPart(offset, length, status) || !Found(obj, index, status, out var expected)) return;
        Assert.Equal(expected[offset..(offset + length)], part);
        if (GetConsumes) _pages.Remove((obj, index));
    }

    public void Write(ulong obj, uint index, int from, int to, int seed)
    {
        var (offset, length) = Part(from, to);
        var part = Pages.Any(seed, _size).AsSpan(0, Math.Min(length, _size));
        var before = Memory;
        var status = _client.Write(_pool, Id(obj), index, offset, length > _size ? new byte[length] : part);
        if (IsRefusedPart(offset, length, status)) return;
        if (status is TmemStatus.NoRoom or TmemStatus.PoolLimit)
        {
            AssertRefused(status, before);
            if (!IsPersistent) _pages.Remove((obj, index));
            return;
        }
        if (!Found(obj, index, status, out var old)) return;
        var changed = (byte[])old.Clone();
        part.CopyTo(changed.AsSpan(offset));
        _pages[(obj, index)] = changed;
    }

    public void Exchange(ulong obj, uint index, PoolModel other, ulong otherObject, uint otherIndex)
    {
        var status = _client.Exchange(_pool, Id(obj), index, other._pool, Id(otherObject), otherIndex);
        if (_options.Flags != other._options.Flags)
        {
            Assert.Equal(TmemStatus.PoolMismatch, status);
            return;
        }
        var isHere = _pages.TryGetValue((obj, index), out var here);
        var isThere = other._pages.TryGetValue((otherObject, otherIndex), out var there);
        if ((MayVanish || other.MayVanish) && status == TmemStatus.Miss) return;
        if (status == TmemStatus.PoolLimit)
        {
            Assert.True(_limit > 0 || other._limit > 0);
            return;
        }
        Assert.Equal(isHere && isThere ? TmemStatus.Ok : TmemStatus.Miss, status);
        if (status != TmemStatus.Ok) return;
        _pages[(obj, index)] = there!;
        other._pages[(otherObject, otherIndex)] = here!;
    }

    public void Flush(ulong obj, uint index)
    {
        var expected = _pages.Remove((obj, index));
        var status = _client.FlushPage(_pool, Id(obj), index);
        if (MayVanish) Assert.True(expected || status == TmemStatus.Miss);
        else Assert.Equal(expected ? TmemStatus.Ok : TmemStatus.Miss, status);
    }

    public void FlushRange(ulong obj, uint first, uint last, bool whole)
    {
        var flushed = -1L;
        if (whole) (first, last) = (0, uint.MaxValue);
        var status = whole ? _client.FlushObject(_pool, Id(obj)) : _client.FlushRange(_pool, Id(obj), first, last, out flushed);
        var keys = _pages.Keys.Where(key => key.Object == obj && key.Index >= first && key.Index <= last).ToList();
        foreach (var key in keys) _pages.Remove(key);
        if (MayVanish)
        {
            Assert.True(flushed <= keys.Count);
            return;
        }
        Assert.Equal(keys.Count > 0 ? TmemStatus.Ok : TmemStatus.Miss, status);
        if (!whole) Assert.Equal(keys.Count, flushed);
    }

    public void Next(ulong obj, uint from)
    {
        if (MayVanish) return;
        var expected = _pages.Keys.Where(key => key.Object == obj && key.Index >= from).ToList();
        var status = _client.NextPage(_pool, Id(obj), from, out var found);
        Assert.Equal(expected.Count > 0 ? TmemStatus.Ok : TmemStatus.Miss, status);
        if (expected.Count > 0) Assert.Equal(expected[0].Index, found);
    }

    public void Renew()
    {
        Assert.Equal(TmemStatus.Ok, _client.DestroyPool(_pool));
        _pages.Clear();
        Create();
    }

    /// <summary>Every page that must be there is.</summary>
    public void CheckAll()
    {
        if (!MayVanish) Assert.Equal(_pages.Count, Engines.Figures(_client, _pool).Pages);
        foreach (var (obj, index) in _pages.Keys.ToList()) Get(obj, index);
    }

    private void Create()
    {
        Assert.Equal(TmemStatus.Ok, _client.NewPool(_options, out _pool));
        (_limit, _wasLimited) = (0, false);
    }

    /// <summary>Whether a page was found, as the model expects; the model forgets a page that vanished.</summary>
    private bool Found(ulong obj, uint index, TmemStatus status, out byte[] expected)
    {
        var isThere = _pages.TryGetValue((obj, index), out expected!);
        if (isThere && MayVanish && status == TmemStatus.Miss)
        {
            _pages.Remove((obj, index));
            return false;
        }
        Assert.Equal(isThere ? TmemStatus.Ok : TmemStatus.Miss, status);
        return isThere;
    }

    private bool IsRefusedPart(int offset, int length, TmemStatus status)
    {
        if (!IsPrecompressed && length > 0 && offset >= 0 && offset + length <= _size) return false;
        Assert.Equal(IsPrecompressed ? TmemStatus.Precompressed : TmemStatus.InvalidRange, status);
        return true;
    }

    private bool IsRefusedRun(uint first, int count, TmemStatus status)
    {
        if (!IsPrecompressed && first + (ulong)count <= 1UL << 32) return false;
        Assert.Equal(IsPrecompressed ? TmemStatus.Precompressed : TmemStatus.InvalidArgument, status);
        return true;
    }

    /// <summary>Concatenates the pages; those of a precompressed pool, which takes no runs, are padded to whole pages.</summary>
    private byte[] Joined(byte[][] pages)
    {
        var joined = new byte[pages.Length * _size];
        for (var i = 0; i < pages.Length; i++) pages[i].CopyTo(joined, i * _size);
        return joined;
    }

    /// <summary>A page is refused for want of room in the store, or within a limit that could be too low for it.</summary>
    private void AssertRefused(TmemStatus status, long memory) => Assert.True(
        status == TmemStatus.NoRoom ? _tight
        : status == TmemStatus.PoolLimit && _limit > 0 && (IsPersistent ? memory : 0) + MostOfAPage > _limit, $"{status}");

    // In the tight store most pages are ballast that does not shrink, so that room does run out.
    private byte[] Page(int seed) => IsPrecompressed
        ? Pages.Any(seed, _size)[..(1 + seed * 7919 % _size)]
        : Pages.Any(_tight ? seed * 5 + 1 : seed, _size);

    /// <summary>Thousandths of a page to bytes.</summary>
    private (int Offset, int Length) Part(int from, int to) =>
        (Math.Min(from, to) * _size / 1000, (Math.Max(from, to) * _size / 1000) - (Math.Min(from, to) * _size / 1000));

    private static ObjectId Id(ulong number) => new(number, number << 40, number * 7);
}
