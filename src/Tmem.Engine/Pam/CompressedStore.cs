using System.IO.Hashing;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine.Codec;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pam;

/// <summary>
/// The default page store: same-filled pages in their descriptors, all others compressed into a slot of the region, raw if they do not
/// shrink enough to need a smaller slot than a raw page does.
/// </summary>
internal readonly unsafe struct CompressedStore<TCodec>(SlabAllocator slabs, TCodec codec) : IPamOps where TCodec : struct, ICodec
{
    public const int RawCodec = 0;

    private static readonly int s_rawClass = SizeClasses.For(RegionLayout.PageSize + SlotHeader.Bytes);

    /// <summary>Longest stored form that still fits the class below a raw page's; anything longer saves no memory.</summary>
    private static readonly int s_longest = SizeClasses.Size(s_rawClass - 1) - SlotHeader.Bytes;

    public TmemStatus Create(ReadOnlySpan<byte> page, in PageOwner owner, out ulong descriptor)
    {
        if (PageDescriptor.IsSameFilled(page, out var word))
        {
            descriptor = PageDescriptor.FromFill(word);
            if (descriptor != 0) return TmemStatus.Ok;
        }

        var stored = (ReadOnlySpan<byte>)Scratch.Current.Compressed;
        var length = codec.Encode(page, Scratch.Current.Compressed[..s_longest]);
        var codecId = TCodec.Id;
        if (length > 0)
        {
            stored = stored[..length];
        }
        else if (owner.RefuseIncompressible)
        {
            descriptor = 0;
            return TmemStatus.Incompressible;
        }
        else
        {
            stored = page;
            codecId = RawCodec;
        }
        return Place(stored, codecId, owner, out descriptor);
    }

    public TmemStatus Place(ReadOnlySpan<byte> stored, int codecId, in PageOwner owner, out ulong descriptor)
    {
        var kind = owner.Persistent ? SpanKind.PersistentPages : SpanKind.EphemeralPages;
        var place = slabs.AllocateEvicting(kind, SizeClasses.For(stored.Length + SlotHeader.Bytes));
        descriptor = PageDescriptor.FromSlot(place);
        if (place == 0) return TmemStatus.NoRoom;
        ref var header = ref Header(place);
        stored.CopyTo(new Span<byte>(slabs.At(place) + SlotHeader.Bytes, stored.Length));
        header.Checksum = Sum(stored, codecId);
        header.PoolPlace = (ushort)owner.PoolPlace;
        header.Bucket = (byte)owner.Bucket;
        header.Visited = 0;
        // Length and codec wait here for Bind: the low bit keeps saying "not committed".
        header.Word = SlotHeader.MakeWord(0, stored.Length, codecId) | SlabAllocator.InFlight;
        return TmemStatus.Ok;
    }

    public bool KnowsCodec(uint codec) => codec is RawCodec || codec == TCodec.Id;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Bind(ulong descriptor, ulong leaf)
    {
        if (!PageDescriptor.IsSlot(descriptor)) return;
        ref var header = ref Header(PageDescriptor.Slot(descriptor));
        Volatile.Write(ref header.Word, SlotHeader.MakeWord(leaf, header.Length, header.Codec));
    }

    public void Grab(ulong descriptor, ulong leaf, Scratch scratch, bool markUsed)
    {
        if (!PageDescriptor.IsSlot(descriptor))
        {
            scratch.Kind = GrabKind.Fill;
            scratch.Fill = PageDescriptor.FillWord(descriptor);
            return;
        }
        var place = PageDescriptor.Slot(descriptor);
        // A descriptor is trusted no further than its bytes can be checked: a damaged one must not lead outside its slot.
        if (!IsPageSlot(place)) { scratch.Kind = GrabKind.Damaged; return; }
        ref var header = ref Header(place);
        var length = header.Length;
        if (header.Leaf != leaf || !header.IsCommitted || length > RegionLayout.PageSize
            || length > slabs.SlotBytes(place) - SlotHeader.Bytes)
        {
            scratch.Kind = GrabKind.Damaged;
            return;
        }
        scratch.Kind = GrabKind.Stored;
        scratch.Length = length;
        scratch.Codec = header.Codec;
        scratch.Checksum = header.Checksum;
        Unsafe.CopyBlock(ref MemoryMarshal.GetReference(scratch.Stored), ref *(slabs.At(place) + SlotHeader.Bytes), (uint)length);
        if (markUsed && header.Visited == 0) header.Visited = 1;
    }

    public TmemStatus Unpack(Scratch scratch, Span<byte> page)
    {
        if (scratch.Kind == GrabKind.Fill)
        {
            MemoryMarshal.Cast<byte, ulong>(page).Fill(scratch.Fill);
            return TmemStatus.Ok;
        }
        if (scratch.Kind == GrabKind.Damaged) return TmemStatus.Corrupt;
        var stored = (ReadOnlySpan<byte>)scratch.Stored[..scratch.Length];
        if (Sum(stored, scratch.Codec) != scratch.Checksum) return TmemStatus.Corrupt;
        if (scratch.Codec == TCodec.Id) return codec.Decode(stored, page) ? TmemStatus.Ok : TmemStatus.Corrupt;
        if (scratch.Codec != RawCodec || stored.Length != page.Length) return TmemStatus.Corrupt;
        stored.CopyTo(page);
        return TmemStatus.Ok;
    }

    public void Free(ulong descriptor)
    {
        if (!PageDescriptor.IsSlot(descriptor)) return;
        var place = PageDescriptor.Slot(descriptor);
        // A damaged descriptor frees nothing: a slot leaked is found by the next attach, a slot freed wrongly would be somebody's page.
        if (IsPageSlot(place) && Header(place).Word != 0) slabs.Free(place);
    }

    public PageCost Cost(ulong descriptor)
    {
        if (!PageDescriptor.IsSlot(descriptor)) return new PageCost(0, 0, SameFilled: true, Raw: false);
        var place = PageDescriptor.Slot(descriptor);
        if (!IsPageSlot(place)) return default;
        ref var header = ref Header(place);
        return new PageCost(header.Length, slabs.SlotBytes(place), SameFilled: false, Raw: header.Codec == RawCodec);
    }

    public bool IsPageSlot(ulong place) =>
        slabs.IsSlot(place, SpanKind.PersistentPages) || slabs.IsSlot(place, SpanKind.EphemeralPages);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref SlotHeader Header(ulong place) => ref *(SlotHeader*)slabs.At(place);

    private static uint Sum(ReadOnlySpan<byte> stored, int codecId) =>
        (uint)XxHash3.HashToUInt64(stored, (long)stored.Length << 3 | (uint)codecId);
}
