using System.Diagnostics;
using System.Text.Json;
using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Filesystem;

namespace Tmem.Fuse.Control;

/// <summary>The methods of the management API. May be called from several threads at once.</summary>
internal sealed class ControlMethods(string socketPath, IDaemon daemon, IEngineView engine, IPoolDirectory directory)
{
    private readonly ControlCommand _tmemctl = new(socketPath);
    private readonly PoolMethods _pools = new(engine, directory, new ControlCommand(socketPath), daemon.HoldersOf);
    private readonly StoreMethods _store = new(daemon, engine, new ControlCommand(socketPath));
    private readonly ClientMethods _clients = new(engine, new ControlCommand(socketPath));
    private int _checking;

    /// <summary>Carries out a method. Whatever the parameters hold, the answer is a value or an error.</summary>
    /// <param name="method">Its name.</param>
    /// <param name="parameters">The request's.</param>
    /// <param name="wanted">Whether the caller still waits: asked again after long work and before an irreversible step.</param>
    public RpcAnswer Call(string method, JsonElement? parameters, Func<bool> wanted) => method switch
    {
        ControlMethod.Status => WithoutParameters(method, parameters) ?? Status(),
        ControlMethod.Metrics => WithoutParameters(method, parameters) ?? Metrics(),
        ControlMethod.Check => WithoutParameters(method, parameters) ?? Check(),
        ControlMethod.Stop => RpcParameters.None(method, parameters) is null ? Stop(new(), wanted)
            : RpcParameters.Read(method, parameters, ControlJson.Default.StopParameters, wish => Stop(wish, wanted)),
        ControlMethod.Upgrade =>
            RpcParameters.Read(method, parameters, ControlJson.Default.UpgradeParameters, wish => Upgrade(wish, wanted)),
        ControlMethod.Adopt => WithoutParameters(method, parameters) ?? Adopt(),
        ControlMethod.PoolList => WithoutParameters(method, parameters) ?? _pools.List(),
        ControlMethod.PoolShow => RpcParameters.Read(method, parameters, ControlJson.Default.PoolNameParameters, _pools.Show),
        ControlMethod.PoolCreate =>
            RpcParameters.Read(method, parameters, ControlJson.Default.PoolCreateParameters, wish => _pools.Create(wish, wanted)),
        ControlMethod.PoolReserve => RpcParameters.Read(method, parameters, ControlJson.Default.PoolReserveParameters,
            wish => _pools.Reserve(wish, wanted)),
        ControlMethod.PoolDestroy => RpcParameters.Read(method, parameters, ControlJson.Default.PoolDestroyParameters,
            wish => _pools.Destroy(wish, wanted)),
        ControlMethod.PoolSet => RpcParameters.Read(method, parameters, ControlJson.Default.PoolSetParameters,
            wish => _pools.Set(wish, wanted)),
        ControlMethod.PoolEmpty => RpcParameters.Read(method, parameters, ControlJson.Default.PoolNameParameters,
            wish => _pools.Empty(wish, wanted)),
        ControlMethod.PoolRecompress => RpcParameters.Read(method, parameters, ControlJson.Default.PoolNameParameters,
            wish => _pools.Recompress(wish, wanted)),
        ControlMethod.Resize => RpcParameters.Read(method, parameters, ControlJson.Default.ResizeParameters,
            wish => _store.Resize(wish, wanted)),
        ControlMethod.Shrink => RpcParameters.Read(method, parameters, ControlJson.Default.ShrinkParameters,
            wish => _store.Shrink(wish, wanted)),
        ControlMethod.Compact => WithoutParameters(method, parameters) ?? _store.Compact(),
        ControlMethod.Sync => WithoutParameters(method, parameters) ?? _store.Sync(),
        ControlMethod.ClientList => WithoutParameters(method, parameters) ?? _clients.List(),
        ControlMethod.ClientSet => RpcParameters.Read(method, parameters, ControlJson.Default.ClientSetParameters,
            wish => _clients.Set(wish, wanted)),
        _ => RpcAnswer.Fail(ControlErrorCode.MethodNotFound, $"no method '{Shorten(method)}'", Shorten(method),
            "use status, metrics, pool.list, pool.show, pool.create, pool.set, pool.reserve, pool.empty, pool.destroy, "
                + "client.list, client.set, resize, shrink, compact, sync, check, upgrade, adopt or stop"),
    };

    private static RpcAnswer? WithoutParameters(string method, JsonElement? parameters) => RpcParameters.None(method, parameters);

    private int Pid => daemon.Processes is { KeeperPid: not 0 and var keeper } ? keeper : daemon.Processes.WorkerPid;

    private RpcAnswer Status() => RpcAnswer.Of(StatusOf(engine.Statistics()), ControlJson.Default.StatusReply);

    private RpcAnswer Metrics()
    {
        var statistics = engine.Statistics();
        return RpcAnswer.Of(new MetricsReply(StatusOf(statistics), _pools.All(statistics), daemon.Requests),
            ControlJson.Default.MetricsReply);
    }

    private StatusReply StatusOf(EngineStatistics statistics)
    {
        return new StatusReply
        {
            Version = daemon.Version,
            Commit = daemon.Commit,
            Pid = Pid,
            Processes = daemon.Processes,
            MountPoint = daemon.MountPoint,
            Connection = daemon.Connection,
            SocketPath = socketPath,
            Region = daemon.RegionName,
            StartedAt = daemon.StartedAt,
            UptimeSeconds = Math.Round(Math.Max(0, (DateTimeOffset.UtcNow - daemon.StartedAt).TotalSeconds), 3),
            Threads = daemon.Threads,
            Settings = daemon.Settings,
            Codec = daemon.Codec,
            Pools = statistics.Pools.Count,
            Store = Figures.Of(statistics),
            ReserveExcess = OverReserved.Of(statistics, directory.Pools(), _tmemctl),
            Total = Figures.Of(statistics.Total),
        };
    }

    private RpcAnswer Check()
    {
        // A check reads every stored page: two at once would only be slower.
        if (Interlocked.Exchange(ref _checking, 1) != 0)
            return RpcAnswer.Fail(ControlErrorCode.Busy, "a check is running already", "check", "wait until it is done");
        try
        {
            var started = Stopwatch.GetTimestamp();
            var report = engine.Verify();
            var pages = PageWords.Of(report.Problems, report.CorruptPages, directory).Select(page => page.Text);
            IReadOnlyList<string> problems = [.. pages, .. directory.Verify(), .. RegionFile()];
            return RpcAnswer.Of(new CheckReply(report.PagesChecked, report.ObjectsChecked, report.SpansChecked,
                Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 3), problems), ControlJson.Default.CheckReply);
        }
        finally
        {
            Volatile.Write(ref _checking, 0);
        }
    }

    private IEnumerable<string> RegionFile()
    {
        if (!engine.Statistics().Durability.FileRemoved) yield break;
        var (what, remedy) = RemovedRegion.Of(daemon, _tmemctl);
        yield return $"{what}; {remedy}";
    }

    private RpcAnswer Stop(StopParameters wish, Func<bool> wanted)
    {
        if (wish.DryRun ? daemon.MayStop(wish.Discard, out var reason, out var lostBytes)
            : daemon.TryStop(wish.Discard, wanted, out reason, out lostBytes))
            return RpcAnswer.Of(new StopReply(Pid, lostBytes), ControlJson.Default.StopReply);
        var (what, remedy) = StopRemedy.Of(reason, _tmemctl);
        return RpcAnswer.Fail(ControlErrorCode.StopRefused, "tmemd goes on: " + what, daemon.MountPoint, remedy);
    }

    private RpcAnswer Upgrade(UpgradeParameters wish, Func<bool> wanted)
    {
        if (wish.Threads is < 1 or > ControlProtocol.MaximumThreads)
            return RpcParameters.Invalid("threads", $"threads {wish.Threads} is out of range",
                $"give a number from 1 to {ControlProtocol.MaximumThreads}");
        if (wish.Spin is < 0 or > ControlProtocol.MaximumSpin)
            return RpcParameters.Invalid("spin", $"spin {wish.Spin} is out of range",
                $"give a number of microseconds from 0 to {ControlProtocol.MaximumSpin}");
        if (wish.Binary is { } binary && !Path.IsPathFullyQualified(binary))
            return RpcParameters.Invalid("binary", $"binary '{Shorten(binary)}' is not an absolute path",
                "give the program's whole path");
        var before = daemon.Processes;
        return daemon.TryUpgrade(wish, wanted, out var reason)
            ? RpcAnswer.Of(new UpgradeReply(before.WorkerPid, before.Upgrades), ControlJson.Default.UpgradeReply)
            : RpcAnswer.Fail(ControlErrorCode.UpgradeRefused, $"tmemd serves on as it was: {reason}", wish.Binary ?? "upgrade",
                UpgradeRemedy.Of(reason));
    }

    private RpcAnswer Adopt() => daemon.TryAdopt(out var reason)
        ? RpcAnswer.Of(new AdoptReply(daemon.Processes.KeeperPid), ControlJson.Default.AdoptReply)
        : RpcAnswer.Fail(ControlErrorCode.NotAdopted, $"no keeper: {reason}", "keeper",
            $"look at the daemon's log, then run '{_tmemctl.Line("adopt")}' again");

    private static string Shorten(string text) => text.Length <= 100 ? text : text[..100] + "…";
}
