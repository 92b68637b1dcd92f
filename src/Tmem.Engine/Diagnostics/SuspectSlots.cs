using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Diagnostics;

/// <summary>
/// Slots in use that nothing was seen to refer to. An operation that has just removed a page from the index frees its slot a
/// moment later, or lets it wait, and one that has just filled a slot is about to commit it: only a slot that stays suspect is a
/// leak.
/// </summary>
internal sealed unsafe class SuspectSlots(SlabAllocator slabs)
{
    private const int Maximum = 10_000;

    /// <summary>
    /// A thread may be preempted between removing a page and freeing its slot: wait for it, a second at most.
    /// </summary>
    private const int MostLooks = 20;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    private readonly SpanPool _spans = slabs.Spans;
    private readonly List<(ulong Place, ulong Word)> _slots = [];

    /// <summary>There are so many that more say nothing new.</summary>
    public bool IsFull => _slots.Count >= Maximum;

    /// <summary>Adds a slot, with its first word when it was seen.</summary>
    public void Add(ulong place, ulong word)
    {
        if (!IsFull) _slots.Add((place, word));
    }

    /// <summary>Whether the leaf that a page's slot names refers to it, in its header now or as it was seen.</summary>
    public bool IsInLeaf(ulong place, ulong word)
    {
        var leaf = new SlotHeader { Word = word }.Leaf;
        return _spans.Contains(leaf) && _spans.Table[_spans.SpanOf(leaf)].Kind is SpanKind.Nodes or SpanKind.Objects
            && PageDescriptor.IsAt(*(ulong*)slabs.At(leaf), place);
    }

    /// <summary>Checks again, and reports each that stays suspect.</summary>
    /// <param name="waits">Whether other operations run, so that those in flight are waited for.</param>
    /// <param name="isReferred">Whether something now refers to a slot of a kind, at a place, with that first word.</param>
    /// <param name="problem">Receives a sentence for each.</param>
    public void Report(bool waits, Func<SpanKind, ulong, ulong, bool> isReferred, Action<string> problem)
    {
        for (var look = 0; ; look++)
        {
            _slots.RemoveAll(slot => IsSettled(slot.Place, slot.Word, isReferred));
            if (_slots.Count == 0 || !waits || look == MostLooks) break;
            Thread.Sleep(s_pause);
        }
        foreach (var (place, _) in _slots)
        {
            var span = _spans.SpanOf(place);
            problem($"the slot at {place:x} of span {span} ({_spans.Table[span].Kind}) is in use and nothing refers to it");
        }
    }

    /// <summary>Whether a slot is no leak after all: it has been freed, waits to be, or is referred to.</summary>
    private bool IsSettled(ulong place, ulong word, Func<SpanKind, ulong, ulong, bool> isReferred)
    {
        var kind = _spans.Table[_spans.SpanOf(place)].Kind;
        return kind is SpanKind.Free or SpanKind.Records or SpanKind.Dictionaries
            || Volatile.Read(ref *(ulong*)slabs.At(place)) != word || slabs.IsWaiting(place) || isReferred(kind, place, word);
    }
}
