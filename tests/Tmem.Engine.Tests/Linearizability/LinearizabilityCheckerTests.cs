using CsCheck;

namespace Tmem.Engine.Tests.Linearizability;

/// <summary>The checker itself: histories with a known verdict, and small random ones against a search of all orders.</summary>
public sealed class LinearizabilityCheckerTests
{
    private static readonly HandleModel s_persistent = new(GetConsumes: false, MayVanish: false, MayRefuse: false);
    private static readonly HandleModel s_private = new(GetConsumes: true, MayVanish: false, MayRefuse: false);
    private static readonly HandleModel s_shared = new(GetConsumes: false, MayVanish: true, MayRefuse: true);

    [Fact]
    public void A_read_after_its_put_is_right() =>
        Holds(s_persistent, Put(7, 0, 1), Got(7, 2, 3), Said(4, 5, Act.Look, TmemStatus.Ok));

    [Fact]
    public void A_read_beside_a_put_may_see_both_but_only_in_one_order()
    {
        Holds(s_persistent, Put(1, 0, 1), Put(2, 2, 9), Got(1, 3, 4), Got(2, 5, 6));
        Fails(s_persistent, Put(1, 0, 1), Put(2, 2, 9), Got(2, 3, 4), Got(1, 5, 6));
    }

    [Fact]
    public void A_stale_read_is_found() => Fails(s_persistent, Put(1, 0, 1), Put(2, 2, 3), Got(1, 4, 5));

    [Fact]
    public void An_update_that_is_lost_is_found() => Fails(s_persistent, Put(1, 0, 5), Put(2, 1, 4), Got(1, 6, 7), Got(2, 8, 9));

    [Fact]
    public void A_miss_of_a_page_that_stays_is_found()
    {
        Fails(s_persistent, Put(1, 0, 1), Said(2, 3));
        Holds(s_persistent, Put(1, 0, 1), Said(2, 5), Said(3, 4, Act.FlushPage, TmemStatus.Ok));
    }

    [Fact]
    public void A_page_private_is_got_once()
    {
        Holds(s_private, Put(1, 0, 1), Got(1, 2, 5), Said(3, 4));
        Fails(s_private, Put(1, 0, 1), Got(1, 2, 5), Got(1, 3, 4));
    }

    [Fact]
    public void A_page_may_vanish_but_not_come_back()
    {
        Holds(s_shared, Put(1, 0, 1), Got(1, 2, 3), Said(4, 5));
        Fails(s_shared, Put(1, 0, 1), Said(2, 3), Got(1, 4, 5));
        Fails(s_shared, Put(1, 0, 1), Put(2, 2, 3), Got(1, 4, 5));
    }

    [Fact]
    public void A_refused_put_takes_the_old_page_along_and_a_refused_replace_leaves_it()
    {
        var roomy = s_persistent with { MayRefuse = true };
        Holds(roomy, Put(1, 0, 1), Said(2, 3, Act.Put, TmemStatus.NoRoom), Said(4, 5));
        Fails(roomy, Put(1, 0, 1), Said(2, 3, Act.Put, TmemStatus.NoRoom), Got(1, 4, 5));
        Holds(roomy, Put(1, 0, 1), Said(2, 3, Act.Replace, TmemStatus.NoRoom), Got(1, 4, 5));
        Fails(roomy, Put(1, 0, 1), Said(2, 3, Act.Replace, TmemStatus.NoRoom), Said(4, 5));
        Fails(s_persistent, Said(2, 3, Act.Put, TmemStatus.NoRoom));
    }

    [Fact]
    public void An_object_flush_drops_the_page_at_some_moment_and_a_miss_says_it_was_absent()
    {
        Holds(s_persistent, Put(1, 0, 1), Said(2, 9, Act.FlushObject, TmemStatus.Ok), Got(1, 3, 4), Said(5, 6));
        Fails(s_persistent, Put(1, 0, 1), Said(2, 9, Act.FlushObject, TmemStatus.Ok), Got(1, 10, 11));
        Fails(s_persistent, Put(1, 0, 1), Said(2, 3, Act.FlushObject));
        Holds(s_persistent, Said(2, 9, Act.FlushObject), Put(1, 3, 4), Got(1, 5, 6));
    }

    [Fact]
    public void Corrupt_and_torn_are_never_right()
    {
        Fails(s_shared, Put(1, 0, 1), Said(2, 3, Act.Get, TmemStatus.Corrupt));
        Fails(s_shared, Put(1, 0, 1), Got(StampedPage.Torn, 2, 3));
    }

    [Fact]
    public void It_agrees_with_a_try_of_all_orders()
    {
        var verdicts = new int[2];
        Gen.Int.Sample(seed =>
        {
            var random = new Random(seed);
            HandleModel[] models = [s_persistent, s_private, s_shared];
            var model = models[random.Next(3)];
            var history = Enumerable.Range(0, 6).Select(_ => RandomCall(random)).ToArray();
            var expected = AnyOrder(history, 0, HandleModel.Absent, model);
            Assert.Equal(expected, LinearizabilityChecker.Check(history, model) is null);
            Interlocked.Increment(ref verdicts[expected ? 1 : 0]);
        }, iter: 20_000, threads: 1);
        Assert.True(verdicts.Min() > 1000,
            $"{verdicts[0]} histories were wrong and {verdicts[1]} right: too much of one to show anything");
    }

    private static Operation RandomCall(Random random)
    {
        var from = random.Next(12);
        var to = from + 1 + random.Next(8);
        var value = 1 + random.Next(2);
        return random.Next(8) switch
        {
            < 3 => Put(value, from, to),
            < 5 => Got(value, from, to),
            5 => Said(from, to),
            6 => Said(from, to, (Act)(3 + random.Next(3)), TmemStatus.Ok),
            _ => Said(from, to, (Act)random.Next(2), TmemStatus.NoRoom),
        };
    }

    /// <summary>
    /// The definition, word by word: some order of all calls, in which none stands before one that had returned when it was
    /// called.
    /// </summary>
    private static bool AnyOrder(Operation[] history, int done, long state, HandleModel model)
    {
        if (done == (1 << history.Length) - 1) return true;
        for (var i = 0; i < history.Length; i++)
        {
            if ((done >> i & 1) != 0) continue;
            var isFirst = true;
            for (var j = 0; j < history.Length && isFirst; j++)
                isFirst = (done >> j & 1) != 0 || history[j].Returned >= history[i].Invoked;
            if (isFirst && model.Step(history[i], state, out var after) && AnyOrder(history, done | 1 << i, after, model))
                return true;
        }
        return false;
    }

    private static Operation Put(long value, long from, long to) => new(Act.Put, value, TmemStatus.Ok, from, to);
    private static Operation Got(long value, long from, long to) => new(Act.Get, value, TmemStatus.Ok, from, to);
    private static Operation Said(long from, long to, Act act = Act.Get, TmemStatus status = TmemStatus.Miss) =>
        new(act, 0, status, from, to);

    private static void Holds(HandleModel model, params Operation[] history) =>
        Assert.Null(LinearizabilityChecker.Check(history, model));
    private static void Fails(HandleModel model, params Operation[] history) =>
        Assert.NotNull(LinearizabilityChecker.Check(history, model));
}
