using Tmem.Engine.Format;
using Tmem.Engine.Operations;
using Tmem.Engine.Pam;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Recompress;

/// <summary>Takes pages at random from the pools that a dictionary is for: slots in spans chosen by chance.</summary>
internal sealed unsafe class PageSampler(SlabAllocator slabs, PoolTable pools, PageRecoding recoding, CompressedStore store)
{
    /// <summary>Slots looked at for one page wanted, before the sample is left as it is.</summary>
    private const int MostTries = 64;

    private readonly SpanPool _spans = slabs.Spans;
    private readonly Random _random = new();

    /// <summary>
    /// Fills a buffer with pages; a page larger than one of 4 KiB gives its first part. Returns the bytes filled, whole pages.
    /// </summary>
    /// <param name="covers">The pools that take part.</param>
    /// <param name="sample">Room for pages of 4 KiB.</param>
    /// <param name="stored">Room for any page's stored bytes.</param>
    /// <param name="page">Room for any page.</param>
    public int Fill(Func<Pool, bool> covers, Span<byte> sample, Span<byte> stored, Span<byte> page)
    {
        var filled = 0;
        for (var tries = sample.Length / PageSizes.Smallest * MostTries; tries > 0 && filled < sample.Length; tries--)
        {
            var span = (uint)_random.NextInt64(Math.Max(1, _spans.HighWater));
            ref var entry = ref _spans.Table[span];
            if (entry.Kind is not (SpanKind.PersistentPages or SpanKind.EphemeralPages) || entry.Bump == 0) continue;
            var place = _spans.PlaceOf(span) + (ulong)((long)_random.Next(entry.Bump) * SizeClasses.Size(entry.Class));
            var seen = *(SlotHeader*)slabs.At(place);
            if (!seen.IsCommitted || pools.AtPlace(seen.PoolPlace) is not { IsEnding: false, IsPrecompressed: false } pool
                || !covers(pool) || !recoding.TryCopy(pool, seen, place, stored, out var grabbed, out _)
                || store.Unpack(grabbed, stored, page[..pool.PageSize], out _) != TmemStatus.Ok) continue;
            page[..PageSizes.Smallest].CopyTo(sample[filled..]);
            filled += PageSizes.Smallest;
        }
        return filled;
    }
}
