using System.Numerics;

namespace Tmem.Engine.Tests.Linearizability;

/// <summary>
/// Whether the calls on one handle have an order, each between its call and its answer, in which the sequential model allows
/// every answer (Herlihy and Wing, 1990; handles are checked one by one, because linearizability is local).
/// <para>Wing and Gong's search with Lowe's just-in-time order and memory ("Testing for linearizability", 2016): it walks the
/// events in time order and keeps the set of all situations possible so far: which of the calls in flight have taken effect, and
/// the state. A call has to take effect only when it returns. With a handful of threads the set stays in the tens, so a history
/// of a hundred thousand calls is checked in the time it took to record; the plain search is exponential in the number of
/// calls.</para>
/// </summary>
internal static class LinearizabilityChecker
{
    private const int MostUnderWay = 64;

    /// <summary>Null if there is such an order; otherwise the situation in which it ceased to exist.</summary>
    public static string? Check(IReadOnlyList<Operation> history, HandleModel model)
    {
        var underWay = new Operation[MostUnderWay];
        var places = new int[history.Count];
        ulong taken = 0;
        var possible = new HashSet<(ulong Done, long State)> { (0, HandleModel.Absent) };
        foreach (var (_, isReturn, number) in Events(history))
        {
            if (!isReturn)
            {
                places[number] = BitOperations.TrailingZeroCount(~taken);
                underWay[places[number]] = history[number];
                taken |= 1UL << places[number];
                continue;
            }
            var returning = 1UL << places[number];
            var next = Advance(possible, returning, taken, underWay, model);
            if (next.Count == 0) return Explain(history, number, possible);
            possible = next;
            taken &= ~returning;
        }
        return null;
    }

    /// <summary>All situations in which the returning call has taken effect, with as few of the others as that needs.</summary>
    private static HashSet<(ulong Done, long State)> Advance(
        HashSet<(ulong Done, long State)> possible, ulong returning, ulong taken, Operation[] underWay, HandleModel model)
    {
        var next = new HashSet<(ulong, long)>();
        var seen = new HashSet<(ulong, long)>(possible);
        var open = new Stack<(ulong Done, long State)>(possible);
        while (open.TryPop(out var situation))
        {
            if ((situation.Done & returning) != 0)
            {
                next.Add((situation.Done & ~returning, situation.State));
                continue;
            }
            for (var rest = taken & ~situation.Done; rest != 0; rest &= rest - 1)
            {
                if (!model.Step(underWay[BitOperations.TrailingZeroCount(rest)], situation.State, out var state)) continue;
                var reached = (situation.Done | (rest & ~(rest - 1)), state);
                if (seen.Add(reached)) open.Push(reached);
            }
        }
        return next;
    }

    /// <summary>
    /// In time order; at equal stamps calls come before returns, so that what the clock cannot tell apart counts as concurrent.
    /// </summary>
    private static List<(long Time, bool IsReturn, int Number)> Events(IReadOnlyList<Operation> history)
    {
        var events = new List<(long Time, bool IsReturn, int Number)>(2 * history.Count);
        for (var i = 0; i < history.Count; i++)
        {
            events.Add((history[i].Invoked, false, i));
            events.Add((history[i].Returned, true, i));
        }
        events.Sort();
        return events;
    }

    private static string Explain(IReadOnlyList<Operation> history, int number, HashSet<(ulong Done, long State)> possible)
    {
        var culprit = history[number];
        var near = history.Where(call => call.Invoked <= culprit.Returned).OrderByDescending(call => call.Returned).Take(12)
            .Reverse();
        return $"no order explains {culprit}; possible before it: "
            + $"{string.Join(", ", possible.Select(s => s.State).Distinct().Order())}; "
            + $"the calls before and beside it:{Environment.NewLine}  {string.Join(Environment.NewLine + "  ", near)}";
    }
}
