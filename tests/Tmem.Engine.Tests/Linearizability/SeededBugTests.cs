using Tmem.Engine.Pam;

namespace Tmem.Engine.Tests.Linearizability;

/// <summary>
/// A race test that has never failed proves nothing: the same race, on engines with one mistake each, finds each mistake.
/// </summary>
public sealed class SeededBugTests
{
    /// <summary>Each mistake shows within the first few rounds; if this many do not show it, the race has gone blind.</summary>
    private const int MostRounds = 50;

    private static readonly HandleModel s_keeps = new(GetConsumes: false, MayVanish: false, MayRefuse: false);

    [Fact]
    public void A_put_answered_before_it_is_done_is_found() => Found((client, pool) => new LatePut(client, pool), s_keeps);

    [Fact]
    public void A_put_that_stores_twice_is_found() => Found((client, pool) => new TwicePut(client, pool), s_keeps);

    [Fact]
    public void A_replacement_in_two_steps_is_found() => Found((client, pool) => new TwoStepReplace(client, pool), s_keeps);

    [Fact]
    public void A_consuming_get_in_two_steps_is_found() =>
        Found((client, pool) => new TwoStepGet(client, pool), s_keeps with { GetConsumes = true });

    [Fact]
    public void A_get_of_two_halves_is_found() => Found((client, pool) => new TornGet(client, pool), s_keeps);

    [Fact]
    public void A_flush_that_denies_is_found() => Found((client, pool) => new SilentFlush(client, pool), s_keeps);

    [Fact]
    public void A_stale_read_is_found_where_pages_may_vanish_too() =>
        Found((client, pool) => new TwicePut(client, pool),
            new HandleModel(GetConsumes: false, MayVanish: true, MayRefuse: true));

    [Fact]
    public void A_copy_after_the_latch_is_found()
    {
        using var engine = Engines.Anonymous();
        var pool = Engines.Pool(engine.Client(new TmemClientId(1)));
        Found(new SubjectOver<LateGrab>(engine, pool,
            new LateGrab(new CompressedStore(engine.Slabs, engine.Dictionaries))), s_keeps);
    }

    /// <summary>The same indirection without the mistake: the findings above are not caused by the test itself.</summary>
    [Fact]
    public void Without_a_mistake_nothing_is_found()
    {
        using var engine = Engines.Anonymous();
        var pool = Engines.Pool(engine.Client(new TmemClientId(1)));
        var subject = new SubjectOver<CompressedStore>(engine, pool, new CompressedStore(engine.Slabs, engine.Dictionaries));
        for (var seed = 0; seed < 5; seed++) Race.AssertLinearizable(subject, s_keeps, threads: 4, calls: 2000, seed);
        Engines.AssertSound(engine);
    }

    private static void Found(Func<TmemClient, PoolId, Subject> make, HandleModel model)
    {
        using var engine = Engines.Anonymous();
        var client = engine.Client(new TmemClientId(1));
        Found(make(client, Engines.Pool(client, PoolFlags.Shared)), model);
    }

    private static void Found(Subject subject, HandleModel model)
    {
        for (var seed = 0; seed < MostRounds; seed++)
        {
            if (Race.Run(subject, model, threads: 4, calls: 1000, seed) is not null) return;
        }
        Assert.Fail($"{MostRounds} rounds did not show the mistake");
    }
}
