using Tmem.Control.Messages;
using Tmem.Engine;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Control;

/// <summary>The pool.* methods: names from the file system, figures from the engine.</summary>
/// <param name="engine">Figures.</param>
/// <param name="directory">Names.</param>
/// <param name="tmemctl">Command lines that address this daemon.</param>
/// <param name="holders">The processes that have files of a pool open.</param>
internal sealed class PoolMethods(IEngineView engine, IPoolDirectory directory, ControlCommand tmemctl,
    Func<string, IReadOnlyList<string>> holders)
{
    private const uint Mode = 0x1ED, SwapMode = 0x1C0, AllModes = 0xFFF; // 0755, 0700, 07777
    private const int MostPools = ControlProtocol.MaximumPools;

    /// <summary>pool.list.</summary>
    public RpcAnswer List()
    {
        var figures = engine.Statistics().Pools.ToDictionary(pool => pool.Id);
        var pools = directory.Pools().Select(pool => Figures.Summary(pool, figures.GetValueOrDefault(pool.Id))).ToList();
        return RpcAnswer.Of(new PoolListReply(pools), ControlJson.Default.PoolListReply);
    }

    /// <summary>All pools with all their figures, in name order.</summary>
    public IReadOnlyList<PoolReply> All(EngineStatistics statistics)
    {
        var figures = statistics.Pools.ToDictionary(pool => pool.Id);
        return [.. directory.Pools().Select(pool => Figures.Reply(pool, figures.GetValueOrDefault(pool.Id)))];
    }

    /// <summary>pool.show.</summary>
    public RpcAnswer Show(PoolNameParameters parameters)
    {
        if (Unusable(parameters.Name) is { } problem) return problem;
        return Find(parameters.Name!) is { } pool
            ? RpcAnswer.Of(Figures.Reply(pool, Snapshot(pool.Id)), ControlJson.Default.PoolReply)
            : NoSuchPool(parameters.Name!);
    }

    /// <summary>
    /// pool.create. Ephemeral pools of files are of the shared kind: a read must not consume the page it copies.
    /// </summary>
    public RpcAnswer Create(PoolCreateParameters parameters, Func<bool> wanted)
    {
        if (Unusable(parameters.Name) is { } problem) return problem;
        var name = parameters.Name!;
        if (Unshowable(name) is { } unshowable) return unshowable;
        if (UnusableLimit(name, parameters.Limit) is { } refusal) return refusal;
        if (Unreservable(name, parameters) is { } unreservable) return unreservable;
        if (Unusable(name, parameters.PageSize, parameters.Mode) is { } unusable) return unusable;
        var flags = parameters.Ephemeral ? PoolFlags.Shared : PoolFlags.Persistent;
        var options = new PoolOptions(flags, parameters.Limit, parameters.RefuseIncompressible, Codec(parameters.Codec),
            ReserveBytes: parameters.Reserve);
        var forSwap = parameters.ForSwap == true;
        var owner = new PoolOwner(parameters.Owner ?? 0, parameters.Group ?? 0);
        var mode = forSwap ? SwapMode : parameters.Mode ?? Mode;
        if (!wanted()) return GivenUp(name);
        var errno = directory.CreatePool(name, in options, mode, out var id, forSwap, owner);
        if (errno == Errno.ENOSPC && directory.Pools().Count >= MostPools)
            return RpcAnswer.Fail(ControlErrorCode.NoRoom,
                $"pool '{name}' cannot be created: there are {MostPools} already, and no store can have more", name,
                "destroy one that is not needed, or make a directory in one that is there");
        return errno == Errno.Ok
            ? RpcAnswer.Of(Figures.Reply(new NamedPool(name, id, options, forSwap, owner, mode, forSwap), Snapshot(id)),
                ControlJson.Default.PoolReply)
            : PoolRefusal.Of(tmemctl, name, "be created" + With(parameters.Reserve), errno,
                parameters.Reserve > 0 ? engine.Statistics().ReservableBytes : null);
    }

    /// <summary>pool.reserve: the older name for a change of the reserve alone.</summary>
    public RpcAnswer Reserve(PoolReserveParameters parameters, Func<bool> wanted) =>
        TryChange(new() { Name = parameters.Name, Reserve = parameters.Reserve }, wanted, out var changed)
            ?? RpcAnswer.Of(changed!.Pool, ControlJson.Default.PoolReply);

    /// <summary>pool.set: what is not given stays as it is.</summary>
    public RpcAnswer Set(PoolSetParameters parameters, Func<bool> wanted) =>
        TryChange(parameters, wanted, out var changed) ?? RpcAnswer.Of(changed!, ControlJson.Default.PoolSetReply);

    /// <summary>Changes a pool; returns why not, or null.</summary>
    private RpcAnswer? TryChange(PoolSetParameters parameters, Func<bool> wanted, out PoolSetReply? reply)
    {
        reply = null;
        if (Unusable(parameters.Name) is { } problem) return problem;
        var name = parameters.Name!;
        if (Find(name) is not { } pool) return NoSuchPool(name);
        if (parameters.Limit is { } limit && UnusableLimit(name, limit) is { } refusal) return refusal;
        if (Unusable(name, pageSize: null, parameters.Mode) is { } unusable) return unusable;
        var now = Snapshot(pool.Id);
        var wish = new PoolCreateParameters
        {
            Reserve = parameters.Reserve ?? now?.Options.ReserveBytes ?? 0,
            Ephemeral = (pool.Options.Flags & PoolFlags.Persistent) == 0,
            Limit = parameters.Limit ?? pool.Options.LimitBytes,
        };
        if (Unreservable(name, wish) is { } unreservable) return unreservable;
        if (!wanted()) return GivenUp(name);
        var errno = directory.ChangePool(name, new PoolChange(parameters.Limit, parameters.Reserve,
            parameters.Codec is { } codec ? Codec(codec) : null, parameters.Owner, parameters.Group, parameters.Mode));
        if (errno != Errno.Ok)
            return PoolRefusal.Of(tmemctl, name, "be set" + With(parameters.Reserve ?? 0), errno,
                parameters.Reserve > 0 ? engine.Statistics().ReservableBytes + Held(pool.Id) : null);
        if (Find(name) is not { } changed) return NoSuchPool(name);
        var then = Snapshot(pool.Id);
        var excess = changed.Options.LimitBytes == 0 ? 0 : Math.Max(0, Memory(then) - changed.Options.LimitBytes);
        reply = new PoolSetReply(Figures.Reply(changed, then),
            (then?.Statistics.Evictions ?? 0) - (now?.Statistics.Evictions ?? 0), excess);
        return null;
    }

    /// <summary>pool.empty.</summary>
    public RpcAnswer Empty(PoolNameParameters parameters, Func<bool> wanted)
    {
        if (Unusable(parameters.Name) is { } problem) return problem;
        var name = parameters.Name!;
        if (Find(name) is null) return NoSuchPool(name);
        if (!wanted()) return GivenUp(name);
        var errno = directory.EmptyPool(name, out var pages);
        return errno == Errno.Ok
            ? RpcAnswer.Of(new PoolEmptyReply(name, pages), ControlJson.Default.PoolEmptyReply)
            : PoolRefusal.Of(tmemctl, name, "be emptied", errno, most: null, errno == Errno.EBUSY ? holders(name) : []);
    }

    /// <summary>pool.recompress.</summary>
    public RpcAnswer Recompress(PoolNameParameters parameters, Func<bool> wanted)
    {
        if (Unusable(parameters.Name) is { } problem) return problem;
        var name = parameters.Name!;
        if (Find(name) is not { } pool) return NoSuchPool(name);
        if (!wanted()) return GivenUp(name);
        var brought = engine.Recompress(pool.Id);
        if (brought.Status != TmemStatus.Ok || Find(name) is not { } now) return NoSuchPool(name);
        return RpcAnswer.Of(new PoolRecompressReply(name, brought.Pages, brought.Bytes,
            Math.Round(brought.ProcessorTime.TotalSeconds, 3), Figures.Reply(now, Snapshot(pool.Id))),
            ControlJson.Default.PoolRecompressReply);
    }

    /// <summary>pool.destroy.</summary>
    public RpcAnswer Destroy(PoolDestroyParameters parameters, Func<bool> wanted)
    {
        if (Unusable(parameters.Name) is { } problem) return problem;
        var name = parameters.Name!;
        if (Find(name) is not { } pool) return NoSuchPool(name);
        var pages = Snapshot(pool.Id)?.Statistics.Pages ?? 0;
        if (!wanted()) return GivenUp(name);
        var errno = directory.DestroyPool(name, parameters.Force);
        return errno == Errno.Ok
            ? RpcAnswer.Of(new PoolDestroyReply(name, pages), ControlJson.Default.PoolDestroyReply)
            : PoolRefusal.Of(tmemctl, name, "be destroyed", errno, most: null,
                errno == Errno.EBUSY ? holders(name) : []);
    }

    private static TmemCodec Codec(CodecWish? wish) =>
        wish is null or CodecWish.Pool ? TmemCodec.Page : (TmemCodec)(wish.Value - CodecWish.Lz4);

    private static RpcAnswer? Unusable(string name, int? pageSize, uint? mode)
    {
        if (pageSize is { } bytes and not ControlProtocol.PageSize)
            return RpcParameters.Invalid(name,
                $"pool '{name}' cannot have pages of {ByteSize.Format(bytes)}: a pool of files has pages of "
                + $"{ByteSize.Format(ControlProtocol.PageSize)}, the kernel's own, so that a page is read and written without "
                + "its neighbours", "leave the page size out; programs that use the engine themselves choose it");
        return mode > AllModes
            ? RpcParameters.Invalid(name, $"pool '{name}': mode {Convert.ToString(mode.Value, 8)} is out of range",
                "give permission bits from 0 to 7777, octal")
            : null;
    }

    /// <summary>Memory that a pool holds already, or is guaranteed.</summary>
    private long Held(PoolId id) => Snapshot(id) is { } pool
        ? Math.Max(pool.Options.ReserveBytes, Memory(pool)) : 0;

    private static long Memory(PoolSnapshot? pool) => pool is null ? 0
        : pool.Statistics.SlotBytes + pool.Statistics.IndexBytes + pool.Statistics.RecordBytes;

    private static string With(long reserve) => reserve == 0 ? "" : $" with a reserve of {ByteSize.Format(reserve)}";

    private RpcAnswer? Unreservable(string name, PoolCreateParameters wish)
    {
        if (wish.Reserve < 0)
            return RpcParameters.Invalid(name, $"pool '{name}': the reserve {wish.Reserve} is negative",
                "give bytes, 0 for none");
        if (wish.Reserve > 0 && wish.Ephemeral)
            return RpcParameters.Invalid(name,
                $"pool '{name}' is ephemeral: its pages may go at any time, so it can have no reserve",
                "reserve for a persistent pool");
        var reserve = ByteSize.Format(wish.Reserve);
        if (wish.Limit > 0 && wish.Reserve > wish.Limit)
            return RpcParameters.Invalid(name,
                $"pool '{name}': the reserve {reserve} is above its limit {ByteSize.Format(wish.Limit)}",
                "reserve no more than the limit");
        var capacity = engine.Statistics().CapacityBytes;
        return wish.Reserve > capacity
            ? RpcParameters.Invalid(name,
                $"pool '{name}': a reserve of {reserve} is more than the store's capacity of {ByteSize.Format(capacity)}",
                "reserve less")
            : null;
    }

    /// <summary>A limit that leaves no room for any page, or above what the store can hold, is a typing mistake.</summary>
    private RpcAnswer? UnusableLimit(string name, long limit)
    {
        if (limit < 0)
            return RpcParameters.Invalid(name, $"pool '{name}': the limit {limit} is negative", "give bytes, 0 for no limit");
        if (limit is > 0 and < ControlProtocol.SmallestLimit)
            return RpcParameters.Invalid(name, $"pool '{name}': a limit of {ByteSize.Format(limit)} leaves room for nothing",
                $"give at least {ByteSize.Format(ControlProtocol.SmallestLimit)}");
        var capacity = engine.Statistics().CapacityBytes;
        return limit > capacity
            ? RpcParameters.Invalid(name,
                $"pool '{name}': a limit of {ByteSize.Format(limit)} is more than the store's capacity of "
                + $"{ByteSize.Format(capacity)}",
                "give less, or leave the limit out")
            : null;
    }

    private NamedPool? Find(string name) => directory.Pools().FirstOrDefault(pool => pool.Name == name);

    private PoolSnapshot? Snapshot(PoolId id) => engine.Statistics().Pools.FirstOrDefault(pool => pool.Id == id);

    private static RpcAnswer? Unusable(string? name) => Invalid(name, PoolName.Impossible(name));

    private static RpcAnswer? Unshowable(string name) => Invalid(name, PoolName.Unshowable(name));

    private static RpcAnswer? Invalid(string? name, (string Problem, string Remedy)? refusal) =>
        refusal is var (problem, remedy)
            ? RpcParameters.Invalid(name is { Length: > 0 and <= PoolName.Longest } ? name : "name", problem, remedy)
            : null;

    private static RpcAnswer GivenUp(string name) => RpcAnswer.HungUp($"pool '{name}'", name);

    private RpcAnswer NoSuchPool(string name) =>
        RpcAnswer.Fail(ControlErrorCode.NotFound, $"no pool '{name}'", name, $"see '{tmemctl.Line("pool list")}'");
}
