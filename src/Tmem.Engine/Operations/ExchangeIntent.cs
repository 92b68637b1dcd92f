using Tmem.Engine.Format;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Operations;

/// <summary>
/// Makes the two stores of an exchange atomic for a later attach: it writes both descriptors into the superblock's page, makes
/// the record valid with one store, and invalidates it with another when both leaves are done. A valid intent found in a region
/// says that the process died in between; the attach completes the exchange. By then the leaves can only hold what the intent
/// says they held or were to hold.
/// <para>One record and one latch for the engine: they are held for eight stores, too short a time for a second record to pay.
/// The latches of both buckets are held around it, so nothing else changes the leaves while the intent is valid.</para>
/// </summary>
internal sealed unsafe class ExchangeIntent(RegionMemory memory)
{
    private readonly byte* _start = memory.Start;
    private int _latch;

    private ref ExchangeRecord Record => ref *(ExchangeRecord*)(_start + RegionLayout.ExchangeOffset);

    /// <summary>For tests: called after each store that changes what a later attach finds.</summary>
    internal Action? AfterStore { get; set; }

    /// <summary>Swaps what two leaves hold. Under the latches of their buckets.</summary>
    public void Swap(ulong leafA, ulong leafB)
    {
        LatchOrder.AssertHeld(LatchRank.Bucket);
        SpinLatch.Enter(ref _latch, LatchRank.Exchange);
        ref var record = ref Record;
        record.LeafA = leafA;
        record.LeafB = leafB;
        record.PageA = Leaf(leafA);
        record.PageB = Leaf(leafB);
        AfterStore?.Invoke();
        Store(ref record.Valid, 1);
        Store(ref Leaf(leafA), record.PageB);
        Store(ref Leaf(leafB), record.PageA);
        Store(ref record.Valid, 0);
        SpinLatch.Exit(ref _latch);
    }

    /// <summary>Completes the exchange that the region's last process died in, if any.</summary>
    public void Complete(SpanPool spans, DamageReport damage)
    {
        ref var record = ref Record;
        if (record.Valid == 0) return;
        if (record.Valid == 1 && IsHeldBy(record.LeafA, record, spans) && IsHeldBy(record.LeafB, record, spans))
        {
            Volatile.Write(ref Leaf(record.LeafA), record.PageB);
            Volatile.Write(ref Leaf(record.LeafB), record.PageA);
        }
        else
        {
            damage.Found("the record of an exchange under way names no two pages");
        }
        Volatile.Write(ref record.Valid, 0);
    }

    /// <summary>Whether a place, not yet validated, holds one of the two pages.</summary>
    private bool IsHeldBy(ulong leaf, in ExchangeRecord record, SpanPool spans) =>
        (leaf & 7) == 0 && spans.Contains(leaf) && spans.Table[spans.SpanOf(leaf)].Kind is SpanKind.Nodes or SpanKind.Objects
        && (Leaf(leaf) == record.PageA || Leaf(leaf) == record.PageB);

    private ref ulong Leaf(ulong place) => ref *(ulong*)(_start + place);

    private void Store(ref ulong word, ulong value)
    {
        Volatile.Write(ref word, value);
        AfterStore?.Invoke();
    }
}
