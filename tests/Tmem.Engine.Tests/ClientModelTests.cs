using CsCheck;

namespace Tmem.Engine.Tests;

/// <summary>
/// Two clients, each with a private pool and both with a shared one, against a model: limits, freezes, joining and leaving,
/// pages, and attaches at any point. The verifier runs at the end of each sequence.
/// </summary>
public sealed class ClientModelTests : IDisposable
{
    private const int Handles = 40;
    private static readonly SharedId s_id = new(7, 7);

    private abstract record Step(int Client);
    private sealed record Put(int Client, bool Shared, uint Index, int Seed, bool Replace) : Step(Client);
    private sealed record Get(int Client, bool Shared, uint Index) : Step(Client);
    private sealed record Flush(int Client, bool Shared, uint Index) : Step(Client);
    private sealed record Freeze(int Client, bool Frozen) : Step(Client);
    private sealed record Limit(int Client, long Bytes) : Step(Client);
    private sealed record Join(int Client) : Step(Client);
    private sealed record Leave(int Client) : Step(Client);
    private sealed record Allow(int Client, bool Authorised) : Step(Client);
    private sealed record Attach() : Step(0);

    private static readonly Gen<int> s_client = Gen.Int[0, 1];
    private static readonly Gen<uint> s_index = Gen.UInt[0, Handles - 1];
    private static readonly Gen<Step> s_step = Gen.Frequency(
        (20, Gen.Select(s_client, Gen.Bool, s_index, Gen.Int[0, 100], Gen.Bool,
            (c, s, i, seed, r) => (Step)new Put(c, s, i, seed, r))),
        (10, Gen.Select(s_client, Gen.Bool, s_index, (c, s, i) => (Step)new Get(c, s, i))),
        (5, Gen.Select(s_client, Gen.Bool, s_index, (c, s, i) => (Step)new Flush(c, s, i))),
        (2, Gen.Select(s_client, Gen.Bool, (c, f) => (Step)new Freeze(c, f))),
        (2, Gen.Select(s_client, Gen.Int[0, 2].Select(i => i * 25_600L), (c, b) => (Step)new Limit(c, b))),
        (4, s_client.Select(c => (Step)new Join(c))),
        (2, s_client.Select(c => (Step)new Leave(c))),
        (2, Gen.Select(s_client, Gen.Int[0, 2], (c, a) => (Step)new Allow(c, a > 0))),
        (1, Gen.Const((Step)new Attach())));

    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"tmem-client-model-{Environment.ProcessId}-{Guid.NewGuid():N}.region");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Clients_sharing_limits_and_freezes_follow_the_model() => s_step.List[20, 300].Sample(steps =>
    {
        File.Delete(_path);
        using var run = new Run(_path);
        foreach (var step in steps) run.Do(step);
        run.End();
    }, iter: 75, threads: 1);

    /// <summary>The expected state of one client.</summary>
    private sealed class Model
    {
        public readonly Dictionary<uint, int> Pages = [];
        public PoolId Pool;
        public bool Frozen, Authorised, Member;
        public long Limit;
    }

    private sealed class Run : IDisposable
    {
        private readonly string _path;
        private readonly Model[] _models = [new(), new()];
        private readonly Dictionary<uint, int> _shared = [];
        private readonly byte[] _page = new byte[Pages.Size];
        private readonly ObjectId _object = new(3);
        private TmemEngine _engine;
        private PoolId _pool;
        private int _owner;

        public Run(string path)
        {
            _path = path;
            _engine = Open();
            for (var i = 0; i < 2; i++) _models[i].Pool = Engines.Pool(Client(i));
        }

        public void Dispose() => _engine.Dispose();

        private TmemEngine Open() => TmemEngine.Open(new EngineOptions { CapacityBytes = 4 * Engines.Mebi, RegionPath = _path });

        private TmemClient Client(int number) => _engine.Client(new TmemClientId((uint)number + 1));

        public void Do(Step step)
        {
            var client = Client(step.Client);
            var model = _models[step.Client];
            switch (step)
            {
                case Put put: DoPut(client, model, put); break;
                case Get get: DoGet(client, model, get); break;
                case Flush flush: DoFlush(client, model, flush); break;
                case Freeze freeze:
                    Assert.Equal(TmemStatus.Ok, freeze.Frozen ? client.Freeze() : client.Thaw());
                    model.Frozen = freeze.Frozen;
                    break;
                case Limit limit:
                    Assert.Equal(TmemStatus.Ok, client.Configure(new ClientOptions(LimitBytes: limit.Bytes)));
                    model.Limit = limit.Bytes;
                    break;
                case Allow { Authorised: true }:
                    Assert.Equal(TmemStatus.Ok, _engine.Authorise(client.Id, s_id));
                    model.Authorised = true;
                    break;
                case Allow:
                    Assert.Equal(model.Authorised ? TmemStatus.Ok : TmemStatus.Miss, _engine.Revoke(client.Id, s_id));
                    model.Authorised = false;
                    break;
                case Join: DoJoin(client, model, step.Client); break;
                case Leave: DoLeave(client, model, step.Client); break;
                case Attach:
                    _engine.Dispose();
                    _engine = Open();
                    break;
            }
        }

        private void DoPut(TmemClient client, Model model, Put put)
        {
            var (pool, pages, refusal) = Target(model, put.Shared);
            var status = put.Replace
                ? client.Replace(pool, _object, put.Index, Pages.Any(put.Seed))
                : client.Put(pool, _object, put.Index, Pages.Any(put.Seed));
            if (refusal != TmemStatus.Ok)
            {
                Assert.Equal(refusal, status);
                return;
            }
            if (model.Frozen) Assert.Equal(TmemStatus.Frozen, status);
            var payer = put.Shared ? _models[_owner] : model;
            if (status == TmemStatus.Ok) pages[put.Index] = put.Seed;
            else
            {
                Assert.True(status == TmemStatus.Frozen ? model.Frozen : status == TmemStatus.ClientLimit && payer.Limit != 0,
                    $"{put}: {status}");
                if (!put.Replace) pages.Remove(put.Index);
            }
        }

        private void DoGet(TmemClient client, Model model, Get get)
        {
            var (pool, pages, refusal) = Target(model, get.Shared);
            var status = client.Get(pool, _object, get.Index, _page);
            var there = pages.TryGetValue(get.Index, out var seed);
            Assert.Equal(refusal != TmemStatus.Ok ? refusal : there ? TmemStatus.Ok : TmemStatus.Miss, status);
            if (status == TmemStatus.Ok) Assert.Equal(Pages.Any(seed), _page);
        }

        private void DoFlush(TmemClient client, Model model, Flush flush)
        {
            var (pool, pages, refusal) = Target(model, flush.Shared);
            var status = client.FlushPage(pool, _object, flush.Index);
            Assert.Equal(refusal != TmemStatus.Ok ? refusal : pages.Remove(flush.Index) ? TmemStatus.Ok : TmemStatus.Miss,
                status);
        }

        private void DoJoin(TmemClient client, Model model, int number)
        {
            var status = client.NewPool(new PoolOptions(PoolFlags.Shared | PoolFlags.Persistent, SharedId: s_id), out var pool);
            Assert.Equal(model.Authorised ? TmemStatus.Ok : TmemStatus.NotAuthorised, status);
            if (status != TmemStatus.Ok) return;
            if (_models.Any(other => other.Member)) Assert.Equal(_pool, pool);
            else
            {
                Assert.NotEqual(_pool, pool);
                _owner = number;
            }
            _pool = pool;
            model.Member = true;
        }

        private void DoLeave(TmemClient client, Model model, int number)
        {
            var others = _models[1 - number].Member;
            var status = client.DestroyPool(_pool);
            Assert.Equal(model.Member ? TmemStatus.Ok : others ? TmemStatus.ForeignClient : TmemStatus.NoSuchPool, status);
            if (!model.Member) return;
            model.Member = false;
            if (!others) _shared.Clear();
            else _owner = 1 - number;
        }

        private (PoolId Pool, Dictionary<uint, int> Pages, TmemStatus Refusal) Target(Model model, bool shared) =>
            !shared ? (model.Pool, model.Pages, TmemStatus.Ok)
            : (_pool, _shared, model.Member ? TmemStatus.Ok : _models.Any(other => other.Member) ? TmemStatus.ForeignClient
                : TmemStatus.NoSuchPool);

        public void End()
        {
            Engines.AssertSound(_engine);
            for (var i = 0; i < 2; i++)
            {
                var info = Client(i).Info();
                var owns = _owner == i && _models.Any(model => model.Member);
                Assert.Equal(_models[i].Frozen, info.Frozen);
                Assert.Equal(_models[i].Limit, info.Options.LimitBytes);
                Assert.Equal(_models[i].Pages.Count + (owns ? _shared.Count : 0), info.Pages);
                Assert.Equal(owns ? 2 : 1, info.Pools);
                foreach (var (index, seed) in _models[i].Pages)
                {
                    Assert.Equal(TmemStatus.Ok, Client(i).Get(_models[i].Pool, _object, index, _page));
                    Assert.Equal(Pages.Any(seed), _page);
                }
            }
        }
    }
}
