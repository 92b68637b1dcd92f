using Tmem.Engine.Pam;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests.Operations;

/// <summary>
/// A second page store: uncompressed pages, in arrays of the managed heap. A descriptor is the number of a page. It records in
/// which leaf each page stands, as the engine's slots do, and detects a page that is freed twice or bound to nothing.
/// </summary>
internal readonly struct PlainStore(PlainStore.Shelf shelf) : IPamOps
{
    /// <summary>State that all copies of the store share.</summary>
    public sealed class Shelf(int mostPages)
    {
        public Dictionary<ulong, (byte[] Page, ulong Leaf)> Pages { get; } = [];
        public int Most { get; } = mostPages;
        public ulong Last { get; set; }
    }

    public TmemStatus Create(ReadOnlySpan<byte> page, in PageOwner owner, IRoomMaker maker, out ulong descriptor) =>
        Keep(page, 0, owner, maker, out descriptor);

    public TmemStatus Keep(ReadOnlySpan<byte> stored, int format, in PageOwner owner, IRoomMaker maker, out ulong descriptor)
    {
        descriptor = 0;
        if (shelf.Pages.Count == shelf.Most) return TmemStatus.NoRoom;
        descriptor = ++shelf.Last;
        shelf.Pages.Add(descriptor, (stored.ToArray(), 0));
        return TmemStatus.Ok;
    }

    public void MarkReturned(ulong descriptor) => Assert.True(shelf.Pages.ContainsKey(descriptor));
    public bool KnowsFormat(uint format) => format == 0;
    public void Bind(ulong descriptor, ulong leaf) => shelf.Pages[descriptor] = (shelf.Pages[descriptor].Page, leaf);
    public void Rebind(ulong descriptor, ulong leaf, int poolPlace, int bucket) => Bind(descriptor, leaf);
    public bool IsBound(ulong descriptor, ulong leaf) => shelf.Pages[descriptor].Leaf == leaf;
    public void Free(ulong descriptor) => Assert.True(shelf.Pages.Remove(descriptor));
    public PageCost Cost(ulong descriptor) =>
        new(shelf.Pages[descriptor].Page.Length, shelf.Pages[descriptor].Page.Length, PageForm.Raw);

    public void Expect(ulong descriptor) => Assert.True(descriptor == 0 || shelf.Pages.ContainsKey(descriptor));

    public Grabbed Grab(ulong descriptor, ulong leaf, Span<byte> room, bool markUsed)
    {
        var page = shelf.Pages[descriptor].Page;
        page.CopyTo(room);
        return new Grabbed(IsBound(descriptor, leaf) ? GrabKind.Stored : GrabKind.Damaged, page.Length);
    }

    public bool Holds(ulong descriptor, ulong leaf, in Grabbed grabbed, ReadOnlySpan<byte> stored) =>
        IsBound(descriptor, leaf) && stored[..grabbed.Length].SequenceEqual(shelf.Pages[descriptor].Page);

    public TmemStatus Unpack(in Grabbed grabbed, ReadOnlySpan<byte> stored, Span<byte> page, out int length)
    {
        length = grabbed.Length;
        if (grabbed.Kind == GrabKind.Damaged) return TmemStatus.Corrupt;
        stored[..length].CopyTo(page);
        return TmemStatus.Ok;
    }

    // No page lies in a slot.
    public bool IsAt(ulong descriptor, ulong place) => false;
    public ulong Move(ulong descriptor, ulong place, ulong leaf) => throw new NotSupportedException();
    public void Release(ulong place) => throw new NotSupportedException();
}
