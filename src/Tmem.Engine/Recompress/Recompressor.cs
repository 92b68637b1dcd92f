using System.Runtime.InteropServices;
using Tmem.Engine.Codec;
using Tmem.Engine.Format;
using Tmem.Engine.Index;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Reclaim;
using Tmem.Engine.Region;

namespace Tmem.Engine.Recompress;

/// <summary>
/// Stores cold pages with Zstandard and a dictionary, in slots of a smaller class. A hand passes over all slots again and again,
/// the largest first. The first pass that meets a page notes that in its leaf; if the next finds that nobody has used it since,
/// it is cold. One that does not win a size class stays as it is and is noted as tried. A page in the new form that is read
/// repeatedly between two passes becomes LZ4 again.
/// <para>In pools that keep what they hold the pass itself counts uses down: a page's uses are those since the last pass. In
/// ephemeral pools the eviction hands do, and the pass only reads them.</para>
/// <para>A full store goes on: the smaller slot may be any free one below the old one's class, the memory for a new one comes
/// from a float that nobody else may take (<see cref="SpanPool.Float"/>), and what the larger slots leave is compacted. Pages are
/// never evicted for it.</para>
/// <para>One thread at a time; no latch is held while it compresses, and nothing here is on the data path.</para>
/// </summary>
internal sealed unsafe class Recompressor : IDisposable
{
    private const int MovesAStep = 256;

    private readonly SlabAllocator _slabs;
    private readonly SpanPool _spans;
    private readonly PoolTable _pools;
    private readonly CompressedStore _store;
    private readonly Dictionaries _dictionaries;
    private readonly PageRecoding _recoding;
    private readonly Compactor _compactor;
    private readonly SlotPass _pass;
    private readonly ZstdPacker _packer = new();
    private readonly byte* _buffers = (byte*)NativeMemory.AlignedAlloc(3 * PageSizes.Largest, 64);
    private readonly Lock _one = new();
    private long _changed;

    public Recompressor(SlabAllocator slabs, PoolTable pools, RegionIndex index, LeafLocator locator, Dictionaries dictionaries,
        Compactor compactor, Func<TimeSpan, bool> waitForCalls, RecompressionSettings settings)
    {
        _slabs = slabs;
        _spans = slabs.Spans;
        _pools = pools;
        _store = index.Pam;
        _dictionaries = dictionaries;
        _recoding = new PageRecoding(index, locator);
        _compactor = compactor;
        _pass = new SlotPass(_spans);
        Keeper = new DictionaryKeeper(dictionaries, slabs, pools, compactor, waitForCalls,
            new PageSampler(slabs, pools, _recoding, _store), _packer, settings);
    }

    public DictionaryKeeper Keeper { get; }

    /// <summary>For tests: called after each store that changes what a later attach finds.</summary>
    internal Action? AfterStore
    {
        set => _recoding.AfterStore = _dictionaries.AfterStore = value;
    }

    /// <summary>Whether a pass is under way.</summary>
    public bool IsPassing => _pass.IsOn;

    /// <summary>Pages that changed their form, or their age, since the engine was opened.</summary>
    public long Changed => Volatile.Read(ref _changed);

    /// <summary>Native memory of the process for it.</summary>
    public long WorkingBytes => 3 * PageSizes.Largest + _packer.Bytes;

    private Span<byte> Stored => new(_buffers, PageSizes.Largest);
    private Span<byte> Page => new(_buffers + PageSizes.Largest, PageSizes.Largest);
    private Span<byte> Packed => new(_buffers + 2 * PageSizes.Largest, PageSizes.Largest);

    /// <summary>
    /// Looks at this many slots of the pass under way, or begins the next. False when the pass has ended.
    /// </summary>
    public bool Step(int slots)
    {
        lock (_one)
        {
            _spans.TakeFloat();
            if (!_pass.IsOn)
            {
                Keeper.Tidy();
                _pass.Begin();
            }
            for (; slots > 0; slots--)
            {
                var place = _pass.Next();
                if (place == 0) return false;
                Look(place, only: null);
            }
            return true;
        }
    }

    /// <summary>
    /// Recompresses all pages of a pool that nobody has used since the last pass, however new they are, or until it is to stop.
    /// </summary>
    public void Run(Pool pool, Func<bool> stops)
    {
        var pass = new SlotPass(_spans);
        pass.Begin();
        while (!stops())
        {
            lock (_one)
            {
                _spans.TakeFloat();
                for (var slots = 64; slots > 0; slots--)
                {
                    var place = pass.Next();
                    if (place == 0) return;
                    Look(place, pool);
                }
            }
        }
    }

    public void Dispose()
    {
        _packer.Dispose();
        NativeMemory.AlignedFree(_buffers);
    }

    /// <param name="place">A slot, which may hold anything.</param>
    /// <param name="only">The pool whose pages are wanted now, whatever their age; null for the pass of all.</param>
    private void Look(ulong place, Pool? only)
    {
        // Read under no latch: trusted only once the leaf is seen under the bucket's.
        var seen = *(SlotHeader*)_slabs.At(place);
        if (!seen.IsCommitted || _pools.AtPlace(seen.PoolPlace) is not { IsEnding: false, IsPrecompressed: false } pool) return;
        if (only is null ? !pool.Recompresses : pool != only) return;
        if (!TryReadLeaf(seen.Leaf, place, out var descriptor)) return;
        // Before the first age and the first dictionary.
        _dictionaries.MarkRegion();
        var uses = PageUse.Uses(seen.Use);
        if (uses != 0 && pool.IsPersistent) SlotHeader.ChangeUse(_slabs.At(place), seen, PageUse.Kept);
        if (PageDescriptor.Format(descriptor) == PageFormat.Dictionary)
        {
            if (uses == PageUse.MostUses) Warm(pool, seen, place);
            else if (uses == 0 && Keeper.IsOld(_store.NumberIn(place))) Recompress(pool, seen, place);
            return;
        }
        switch (PageDescriptor.Age(descriptor))
        {
            case PageAge.New when only is null:
                if (_recoding.SetAge(pool, seen, place, PageAge.Seen)) _changed++;
                break;
            case PageAge.New or PageAge.Seen when uses == 0:
                Recompress(pool, seen, place);
                break;
        }
    }

    private bool TryReadLeaf(ulong leaf, ulong place, out ulong descriptor)
    {
        descriptor = 0;
        if ((leaf & 7) != 0 || !_spans.Contains(leaf)
            || _spans.Table[_spans.SpanOf(leaf)].Kind is not (SpanKind.Nodes or SpanKind.Objects)) return false;
        descriptor = *(ulong*)_slabs.At(leaf);
        return PageDescriptor.IsAt(descriptor, place);
    }

    private void Recompress(Pool pool, in SlotHeader seen, ulong place)
    {
        var number = Keeper.For(pool, Stored, Page);
        if (number < 0 || !_recoding.TryCopy(pool, seen, place, Stored, out var grabbed, out var slotBytes)) return;
        var page = Page[..pool.PageSize];
        var packed = Packed;
        var sizeClass = SizeClasses.For(slotBytes);
        var longest = sizeClass == 0 ? 0 : SizeClasses.Size(sizeClass - 1) - SlotHeader.Bytes;
        var length = 0;
        // A damaged page stays as it is, for its reader to be told.
        if (longest > 1 && _store.Unpack(grabbed, Stored, page, out _) == TmemStatus.Ok)
            length = _packer.Encode(_dictionaries.Open(number)!, page, packed[1..longest]);
        if (length == 0)
        {
            if (_recoding.SetAge(pool, seen, place, PageAge.Tried)) _changed++;
            return;
        }
        packed[0] = (byte)number;
        if (TryReplace(pool, seen, place, grabbed, packed[..(length + 1)], PageFormat.Dictionary, page, sizeClass - 1,
            out var won))
        {
            pool.Counters.Add(Count.PagesRecompressed);
            pool.Counters.Add(Count.RecompressionBytes, won);
        }
    }

    /// <summary>A page that is read again and again is not worth Zstandard's time on each.</summary>
    private void Warm(Pool pool, in SlotHeader seen, ulong place)
    {
        if (!_recoding.TryCopy(pool, seen, place, Stored, out var grabbed, out _)) return;
        var page = Page[..pool.PageSize];
        if (_store.Unpack(grabbed, Stored, page, out _) != TmemStatus.Ok) return;
        var length = PageCodecs.Encode(TmemCodec.Page, page, Packed[..pool.PageSize], out var format);
        if (length == 0 || length >= pool.PageSize) return;
        if (TryReplace(pool, seen, place, grabbed, Packed[..length], format, page, int.MaxValue, out _))
            pool.Counters.Add(Count.PagesWarmed);
    }

    private bool TryReplace(Pool pool, in SlotHeader seen, ulong place, in Grabbed grabbed, ReadOnlySpan<byte> stored, int format,
        ReadOnlySpan<byte> page, int mostClass, out int won)
    {
        won = 0;
        var kind = pool.IsPersistent ? SpanKind.PersistentPages : SpanKind.EphemeralPages;
        var slot = Allocate(kind, SizeClasses.For(stored.Length + SlotHeader.Bytes), mostClass);
        if (slot == 0) return false;
        won = SizeClasses.Size(_spans.Table[_spans.SpanOf(place)].Class) - _slabs.SlotBytes(slot);
        var descriptor = _store.Fill(slot, stored, format, CompressedStore.SumOf(stored, format, page),
            SlotHeader.MakeUnbound(seen.PoolPlace, seen.Bucket, PageUse.Unused(seen.Use)));
        var age = format == PageFormat.Dictionary ? PageAge.Seen : PageAge.New;
        if (!_recoding.Replace(pool, seen, place, grabbed, Stored, PageDescriptor.OfAge(descriptor, age))) return false;
        _changed++;
        return true;
    }

    /// <summary>A slot of a class, or of a larger one below the old slot's; 0 if the store is full and dense.</summary>
    private ulong Allocate(SpanKind kind, int sizeClass, int mostClass)
    {
        var search = new RoomSearch();
        while (true)
        {
            var place = _slabs.Allocate(kind, sizeClass);
            if (place == 0) place = _slabs.AllocateLarger(kind, sizeClass, mostClass);
            if (place != 0 || !_compactor.Win(MovesAStep, ref search)) return place;
        }
    }
}
