using System.Collections.Concurrent;

namespace Tmem.Engine.Tests.Recompress;

/// <summary>
/// Threads that put, get, write, exchange and flush pages while passes follow one another and dictionaries come and go: every
/// answer is the one that was stored last, and at the end the store is sound.
/// </summary>
public sealed class RecompressionSoakTests
{
    private const int Writers = 3;
    private const int PagesAWriter = 1000;

    [Theory]
    [InlineData(PoolFlags.Persistent)]
    [InlineData(PoolFlags.Shared)]
    public void No_page_is_lost_or_wrong(PoolFlags flags)
    {
        using var engine = Cold.Engine(24 * Engines.Mebi);
        var client = engine.Client(new TmemClientId(1));
        var pool = Engines.Pool(client, flags);
        var errors = new ConcurrentQueue<Exception>();
        var stop = 0;
        var writers = Enumerable.Range(0, Writers).Select(number => new Thread(() => Guarded(() => Write(number)))).ToList();
        var recompressor = new Thread(() => Guarded(Recompress));
        writers.ForEach(one => one.Start());
        recompressor.Start();
        // On a busy machine a pass takes its time.
        for (var begun = Environment.TickCount64; Environment.TickCount64 - begun is var passed && errors.IsEmpty
            && (passed < 4000 || (passed < 120_000 && !IsTested())); Thread.Sleep(50)) { }
        Volatile.Write(ref stop, 1);
        writers.ForEach(one => one.Join());
        recompressor.Join();
        Assert.Empty(errors);
        Engines.AssertSound(engine);
        Assert.True(IsTested(), "few pages were recompressed, or none became warm: the test tests little");

        bool IsTested() => engine.Statistics().Total is { PagesRecompressed: > 500, PagesWarmed: > 0 };

        void Guarded(Action action)
        {
            try { action(); }
            catch (Exception error) { errors.Enqueue(error); }
        }

        void Recompress()
        {
            for (var passes = 0; Volatile.Read(ref stop) == 0; passes++)
            {
                Cold.Pass(engine);
                if (passes % 5 == 4) engine.Compact(200);
                if (passes % 16 != 15) continue;
                for (var number = 0; number < Pam.Dictionaries.Most; number++)
                    if (engine.Dictionaries[number].IsThere) engine.Recompressor!.Keeper.Retire(number);
            }
        }

        void Write(int number)
        {
            var random = new Random(number);
            var id = new ObjectId((ulong)number + 1);
            var model = new byte[PagesAWriter][];
            var page = new byte[Pages.Size];
            while (Volatile.Read(ref stop) == 0)
            {
                // Most are of a few pages, so that the others get cold.
                var index = random.Next(random.Next(16) != 0 ? 40 : PagesAWriter);
                if (random.Next(500) == 0) Thread.Sleep(1);
                switch (random.Next(12))
                {
                    case < 3:
                        model[index] = random.Next(10) == 0 ? Pages.Any(random.Next()) : Cold.Words(random.Next());
                        Assert.Equal(TmemStatus.Ok, client.Put(pool, id, (uint)index, model[index]));
                        break;
                    case 3:
                        client.FlushPage(pool, id, (uint)index);
                        model[index] = null!;
                        break;
                    case 4 when model[index] is { } old:
                        var part = Cold.Words(random.Next())[..700];
                        Assert.Equal(TmemStatus.Ok, client.Write(pool, id, (uint)index, 100, part));
                        model[index] = [.. old[..100], .. part, .. old[800..]];
                        break;
                    case 5 when random.Next(PagesAWriter) is var other && model[other] is not null && model[index] is not null:
                        Assert.Equal(TmemStatus.Ok, client.Exchange(pool, id, (uint)index, pool, id, (uint)other));
                        (model[index], model[other]) = (model[other], model[index]);
                        break;
                    default:
                        var status = client.Get(pool, id, (uint)index, page);
                        Assert.Equal(model[index] is null ? TmemStatus.Miss : TmemStatus.Ok, status);
                        if (model[index] is { } expected) Assert.True(expected.AsSpan().SequenceEqual(page), $"page {index}");
                        break;
                }
            }
        }
    }
}
