using System.IO.Hashing;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Tmem.Engine.Codec;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Pam;

/// <summary>
/// The default page store: same-filled pages in their descriptors, all others compressed into a slot of the region, or raw if
/// they do not shrink enough for a smaller slot than a raw page's. Precompressed pages are stored as they are.
/// <para>The checksum is over the stored bytes, for the format with a dictionary over the page: those bytes mean nothing without
/// the dictionary, which may be damaged while they are whole.</para>
/// </summary>
internal readonly unsafe struct CompressedStore(SlabAllocator slabs, Dictionaries dictionaries) : IPamOps
{
    /// <summary>
    /// For each page size, the longest form that fits the class below a raw page's; a longer one saves no memory.
    /// </summary>
    private static readonly int[] s_longest = [.. Enumerable.Range(0, PageSizes.Count).Select(
        n => SizeClasses.Size(SizeClasses.For((PageSizes.Smallest << n) + SlotHeader.Bytes) - 1) - SlotHeader.Bytes)];

    public TmemStatus Create(ReadOnlySpan<byte> page, in PageOwner owner, IRoomMaker maker, out ulong descriptor)
    {
        // A precompressed page's length counts too, and a descriptor has no room for it.
        if (owner.Precompressed) return Keep(page, PageFormat.Precompressed, owner, maker, out descriptor);
        if (SameFill.Is(page, out var word))
        {
            descriptor = PageDescriptor.FromFill(word);
            if (descriptor != 0) return TmemStatus.Ok;
        }

        var room = Scratch.For(page.Length).Compressed[..s_longest[PageSizes.Number(page.Length)]];
        var length = PageCodecs.Encode(owner.Codec, page, room, out var format);
        if (length > 0) return Keep(room[..length], format, owner, maker, out descriptor);
        descriptor = 0;
        return owner.RefuseIncompressible ? TmemStatus.Incompressible : Keep(page, PageFormat.Raw, owner, maker, out descriptor);
    }

    public TmemStatus Keep(ReadOnlySpan<byte> stored, int format, in PageOwner owner, IRoomMaker maker, out ulong descriptor)
    {
        var kind = owner.Persistent ? SpanKind.PersistentPages : SpanKind.EphemeralPages;
        var place = slabs.AllocateEvicting(kind, SizeClasses.For(stored.Length + SlotHeader.Bytes), maker);
        descriptor = 0;
        if (place == 0) return TmemStatus.NoRoom;
        descriptor = Fill(place, stored, format, Sum(stored, stored.Length, format),
            SlotHeader.MakeUnbound(owner.PoolPlace, owner.Bucket, owner.Persistent ? PageUse.Kept : PageUse.New));
        return TmemStatus.Ok;
    }

    public void MarkReturned(ulong descriptor)
    {
        if (!PageDescriptor.IsSlot(descriptor)) return;
        ref var header = ref Header(PageDescriptor.Slot(descriptor));
        header.Word = header.WordWith(PageUse.Returned);
    }

    /// <summary>Fills a slot just taken, and returns its descriptor, for a commit.</summary>
    /// <param name="place">The slot.</param>
    /// <param name="stored">A page in stored form.</param>
    /// <param name="format">The form.</param>
    /// <param name="checksum">As <see cref="SumOf"/> has it.</param>
    /// <param name="unbound">The header's word until then.</param>
    public ulong Fill(ulong place, ReadOnlySpan<byte> stored, int format, uint checksum, ulong unbound)
    {
        ref var header = ref Header(place);
        stored.CopyTo(new Span<byte>(slabs.At(place) + SlotHeader.Bytes, stored.Length));
        header.Checksum = checksum;
        header.Word = unbound;
        if (format == PageFormat.Dictionary) dictionaries.Need(stored[0]);
        return PageDescriptor.FromSlot(place, stored.Length, format);
    }

    /// <summary>The checksum of a page in stored form.</summary>
    public static uint SumOf(ReadOnlySpan<byte> stored, int format, ReadOnlySpan<byte> page) =>
        Sum(format == PageFormat.Dictionary ? page : stored, stored.Length, format);

    /// <summary>A page in a form that needs nothing of this region, as a stream of saved pages has it.</summary>
    public static Grabbed PackAlone(ReadOnlySpan<byte> page, TmemCodec codec, Span<byte> room)
    {
        var length = PageCodecs.Encode(codec, page, room[..s_longest[PageSizes.Number(page.Length)]], out var format);
        if (length == 0)
        {
            page.CopyTo(room);
            (length, format) = (page.Length, PageFormat.Raw);
        }
        return new Grabbed(GrabKind.Stored, length, format, SumOf(room[..length], format, page));
    }

    /// <summary>
    /// Whether this format can be restored from a stream: a page that needs a dictionary is unpacked before it is saved.
    /// </summary>
    public bool KnowsFormat(uint format) => format <= PageFormat.Precompressed;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Bind(ulong descriptor, ulong leaf)
    {
        if (!PageDescriptor.IsSlot(descriptor)) return;
        ref var header = ref Header(PageDescriptor.Slot(descriptor));
        Volatile.Write(ref header.Word, header.WordAt(leaf));
    }

    public void Rebind(ulong descriptor, ulong leaf, int poolPlace, int bucket)
    {
        if (!PageDescriptor.IsSlot(descriptor)) return;
        ref var header = ref Header(PageDescriptor.Slot(descriptor));
        Volatile.Write(ref header.Word, SlotHeader.MakeWord(leaf, poolPlace, bucket, header.Use));
    }

    public bool IsBound(ulong descriptor, ulong leaf)
    {
        if (!PageDescriptor.IsSlot(descriptor)) return PageDescriptor.IsFill(descriptor);
        var place = PageDescriptor.Slot(descriptor);
        // A descriptor is trusted no further than its bytes can be checked: a damaged one must not lead outside its slot.
        if (!IsPageSlot(place)) return false;
        ref var header = ref Header(place);
        return header.Leaf == leaf && header.IsCommitted
            && PageDescriptor.Length(descriptor) <= slabs.SlotBytes(place) - SlotHeader.Bytes;
    }

    public bool IsAt(ulong descriptor, ulong place) => PageDescriptor.IsAt(descriptor, place);

    public ulong Move(ulong descriptor, ulong place, ulong leaf)
    {
        var from = PageDescriptor.Slot(descriptor);
        // A damaged length must not lead out of the slot; the copy fails its checksum in the new place as it did in the old.
        var length = Math.Min(PageDescriptor.Length(descriptor), slabs.SlotBytes(place) - SlotHeader.Bytes);
        Unsafe.CopyBlock(ref slabs.At(place)[sizeof(ulong)], ref slabs.At(from)[sizeof(ulong)],
            (uint)(SlotHeader.Bytes - sizeof(ulong) + length));
        Volatile.Write(ref Header(place).Word, Header(from).WordAt(leaf));
        return PageDescriptor.MovedTo(descriptor, place);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Expect(ulong descriptor)
    {
        if (!Sse.IsSupported || !PageDescriptor.IsSlot(descriptor)) return;
        var slot = slabs.At(PageDescriptor.Slot(descriptor));
        Sse.Prefetch0(slot);
        Sse.Prefetch0(slot + 64);
    }

    public Grabbed Grab(ulong descriptor, ulong leaf, Span<byte> room, bool markUsed)
    {
        if (!PageDescriptor.IsSlot(descriptor))
            return PageDescriptor.IsFill(descriptor) ? new Grabbed(GrabKind.Fill, Word: PageDescriptor.FillWord(descriptor))
                : new Grabbed(GrabKind.Damaged);
        var length = PageDescriptor.Length(descriptor);
        if (!IsBound(descriptor, leaf) || length > room.Length) return new Grabbed(GrabKind.Damaged);
        var place = PageDescriptor.Slot(descriptor);
        ref var header = ref Header(place);
        Unsafe.CopyBlock(ref MemoryMarshal.GetReference(room), ref *(slabs.At(place) + SlotHeader.Bytes), (uint)length);
        if (markUsed)
        {
            // A get's only write: at the maximum nothing is stored and the line stays clean.
            var word = header.WordWith(PageUse.Counted(header.Use));
            if (word != header.Word) header.Word = word;
        }
        return new Grabbed(GrabKind.Stored, length, PageDescriptor.Format(descriptor), header.Checksum);
    }

    public bool Holds(ulong descriptor, ulong leaf, in Grabbed grabbed, ReadOnlySpan<byte> stored)
    {
        if (!PageDescriptor.IsSlot(descriptor))
            return grabbed.Kind == GrabKind.Fill && PageDescriptor.FillWord(descriptor) == grabbed.Word;
        if (grabbed.Kind != GrabKind.Stored || !IsBound(descriptor, leaf)) return false;
        var place = PageDescriptor.Slot(descriptor);
        return PageDescriptor.Length(descriptor) == grabbed.Length && PageDescriptor.Format(descriptor) == grabbed.Format
            && Header(place).Checksum == grabbed.Checksum
            && new ReadOnlySpan<byte>(slabs.At(place) + SlotHeader.Bytes, grabbed.Length)
                .SequenceEqual(stored[..grabbed.Length]);
    }

    public TmemStatus Unpack(in Grabbed grabbed, ReadOnlySpan<byte> stored, Span<byte> page, out int length)
    {
        length = page.Length;
        if (grabbed.Kind == GrabKind.Fill)
        {
            MemoryMarshal.Cast<byte, ulong>(page).Fill(grabbed.Word);
            return TmemStatus.Ok;
        }
        if (grabbed.Kind == GrabKind.Damaged) return TmemStatus.Corrupt;
        stored = stored[..grabbed.Length];
        if (grabbed.Format == PageFormat.Dictionary)
            return dictionaries.Decode(stored[0], stored[1..], page)
                && Sum(page, grabbed.Length, grabbed.Format) == grabbed.Checksum ? TmemStatus.Ok : TmemStatus.Corrupt;
        if (Sum(stored, grabbed.Length, grabbed.Format) != grabbed.Checksum) return TmemStatus.Corrupt;
        switch (grabbed.Format)
        {
            case PageFormat.Raw when stored.Length == page.Length:
            case PageFormat.Precompressed when stored.Length <= page.Length:
                stored.CopyTo(page);
                length = stored.Length;
                return TmemStatus.Ok;
            default:
                return PageCodecs.Decode(grabbed.Format, stored, page) ? TmemStatus.Ok : TmemStatus.Corrupt;
        }
    }

    public void Free(ulong descriptor)
    {
        if (!PageDescriptor.IsSlot(descriptor)) return;
        var place = PageDescriptor.Slot(descriptor);
        // A damaged descriptor frees nothing: the next attach finds a leaked slot, while a slot freed wrongly could be another
        // page's.
        if (!IsPageSlot(place)) return;
        if (PageDescriptor.Format(descriptor) == PageFormat.Dictionary && NumberIn(place) is >= 0 and var number)
        {
            dictionaries.Release(number);
            // Two leaves with one slot are damage, and must not count twice.
            slabs.At(place)[SlotHeader.Bytes] = byte.MaxValue;
        }
        slabs.Free(place);
    }

    public void Release(ulong place) => slabs.Free(place);

    public PageCost Cost(ulong descriptor)
    {
        if (!PageDescriptor.IsSlot(descriptor)) return new PageCost(0, 0, PageForm.SameFilled);
        var place = PageDescriptor.Slot(descriptor);
        if (!IsPageSlot(place)) return default;
        return new PageCost(PageDescriptor.Length(descriptor), slabs.SlotBytes(place), FormOf(PageDescriptor.Format(descriptor)));
    }

    /// <summary>
    /// The number of the dictionary that the page in a slot needs, if its descriptor has that format; -1 if it does not look like
    /// such a page: a descriptor whose format is damaged must not count for another page's dictionary.
    /// </summary>
    public int NumberIn(ulong place)
    {
        var stored = slabs.At(place) + SlotHeader.Bytes;
        return stored[0] < Dictionaries.Most && stored[1] == ZstdPacker.FrameDescriptor ? stored[0] : -1;
    }

    public static PageForm FormOf(int format) => format switch
    {
        PageFormat.Raw => PageForm.Raw,
        PageFormat.Zstd => PageForm.Zstd,
        PageFormat.Dictionary => PageForm.Dictionary,
        _ => PageForm.Packed,
    };

    public bool IsPageSlot(ulong place) =>
        slabs.IsSlot(place, SpanKind.PersistentPages) || slabs.IsSlot(place, SpanKind.EphemeralPages);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref SlotHeader Header(ulong place) => ref *(SlotHeader*)slabs.At(place);

    private static uint Sum(ReadOnlySpan<byte> bytes, int storedLength, int format) =>
        (uint)XxHash3.HashToUInt64(bytes, (long)storedLength << 3 | (uint)format);
}
