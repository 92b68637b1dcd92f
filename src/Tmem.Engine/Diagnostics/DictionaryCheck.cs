using Tmem.Engine.Format;
using Tmem.Engine.Pam;
using Tmem.Engine.Region;

namespace Tmem.Engine.Diagnostics;

/// <summary>
/// Checks the table of dictionaries, each content against its checksum, and that their slots are in use. A damaged one is a
/// problem of its own; the pages that it costs are found by reading them.
/// </summary>
internal sealed unsafe class DictionaryCheck(SlabAllocator slabs, Dictionaries dictionaries)
{
    /// <param name="quiescent">Nothing else is under way, so that every slot in use has an entry.</param>
    /// <param name="problem">Receives a sentence for each problem.</param>
    public void Run(bool quiescent, Action<string> problem)
    {
        var named = new HashSet<ulong>();
        for (var number = 0; number < Dictionaries.Most; number++)
        {
            var entry = dictionaries[number];
            var needs = dictionaries.Needs(number);
            if (!entry.IsThere && needs <= 0) continue;
            var what = !entry.IsThere ? "is gone"
                : dictionaries.SlotOf(number) == 0 ? "has a damaged entry"
                : !dictionaries.IsWhole(number) ? "fails its checksum"
                : !named.Add(entry.Slot) ? $"is in the slot of another, at {entry.Slot:x}"
                : *(ulong*)slabs.At(entry.Slot) > SlotState.InFlight ? null
                : $"is in a slot that is not in use, at {entry.Slot:x}";
            // It may have been freed meanwhile.
            if (what is not null && (quiescent || dictionaries[number].Word == entry.Word))
                problem($"dictionary {number} {what}; {needs} pages need it");
        }
        if (!quiescent) return;
        var spans = slabs.Spans;
        for (uint span = 0; span < spans.HighWater; span++)
        {
            ref var at = ref spans.Table[span];
            for (var slot = 0; at.Kind == SpanKind.Dictionaries && slot < at.Bump; slot++)
            {
                var place = spans.PlaceOf(span) + (ulong)(slot * SizeClasses.Size(at.Class));
                if (*(ulong*)slabs.At(place) != 0 && !named.Contains(place))
                    problem($"the slot at {place:x} of span {span} is in use, and no dictionary's");
            }
        }
    }
}
