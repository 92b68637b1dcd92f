using System.Text;
using Tmem.Engine;
using Tmem.Engine.Diagnostics;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Control.Messages;
using Tmem.Fuse.Filesystem;

namespace Tmem.Fuse.Control;

/// <summary>The pool.* methods: names from the file system, figures from the engine.</summary>
internal sealed class PoolMethods(IEngineView engine, IPoolDirectory directory)
{
    private const uint Mode = 0x1ED; // 0755
    private const int LongestName = 255;
    private const int MostPools = ControlProtocol.MaximumPools;

    /// <summary>pool.list.</summary>
    public RpcAnswer List()
    {
        var figures = engine.Statistics().Pools.ToDictionary(pool => pool.Id);
        var pools = directory.Pools().Select(pool => Figures.Summary(pool, figures.GetValueOrDefault(pool.Id))).ToList();
        return RpcAnswer.Of(new PoolListReply(pools), ControlJson.Default.PoolListReply);
    }

    /// <summary>pool.show.</summary>
    public RpcAnswer Show(PoolNameParameters parameters)
    {
        if (Unusable(parameters.Name) is { } problem) return problem;
        return Find(parameters.Name!) is { } pool
            ? RpcAnswer.Of(Figures.Reply(pool, Snapshot(pool.Id)), ControlJson.Default.PoolReply)
            : NoSuchPool(parameters.Name!);
    }

    /// <summary>pool.create. Ephemeral pools of files are of the shared kind: a read must not consume the page it copies.</summary>
    public RpcAnswer Create(PoolCreateParameters parameters, Func<bool> wanted)
    {
        if (Unusable(parameters.Name) is { } problem) return problem;
        var name = parameters.Name!;
        if (UnusableLimit(name, parameters.Limit) is { } refusal) return refusal;
        if (Unreservable(name, parameters) is { } unreservable) return unreservable;
        var flags = parameters.Ephemeral ? PoolFlags.Shared : PoolFlags.Persistent;
        var options = new PoolOptions(flags, parameters.Limit, parameters.RefuseIncompressible, ReserveBytes: parameters.Reserve);
        if (!wanted()) return GivenUp(name);
        var errno = directory.CreatePool(name, in options, Mode, out var id);
        if (errno == Errno.ENOSPC && directory.Pools().Count >= MostPools)
            return RpcAnswer.Fail(ControlErrorCode.NoRoom, $"pool '{name}' cannot be created: there are {MostPools} already, and no store can have more", name,
                "destroy one that is not needed, or make a directory in one that is there");
        return errno == Errno.Ok
            ? RpcAnswer.Of(Figures.Reply(new NamedPool(name, id, options), Snapshot(id)), ControlJson.Default.PoolReply)
            : Refusal(name, parameters.Reserve == 0 ? "cannot be created" : $"cannot be created with a reserve of {ByteSize.Format(parameters.Reserve)}", errno);
    }

    /// <summary>pool.reserve: guarantees a pool memory from now on, or ends a guarantee.</summary>
    public RpcAnswer Reserve(PoolReserveParameters parameters, Func<bool> wanted)
    {
        if (Unusable(parameters.Name) is { } problem) return problem;
        var name = parameters.Name!;
        if (Find(name) is not { } pool) return NoSuchPool(name);
        var wish = new PoolCreateParameters
        {
            Reserve = parameters.Reserve, Ephemeral = (pool.Options.Flags & PoolFlags.Persistent) == 0, Limit = pool.Options.LimitBytes,
        };
        if (Unreservable(name, wish) is { } unreservable) return unreservable;
        if (!wanted()) return GivenUp(name);
        var errno = directory.ReservePool(name, parameters.Reserve);
        return errno == Errno.Ok
            ? RpcAnswer.Of(Figures.Reply(pool, Snapshot(pool.Id)), ControlJson.Default.PoolReply)
            : Refusal(name, $"cannot be guaranteed {ByteSize.Format(parameters.Reserve)}", errno);
    }

    private static RpcAnswer? Unreservable(string name, PoolCreateParameters wish)
    {
        if (wish.Reserve < 0) return RpcParameters.Invalid(name, $"pool '{name}': the reserve {wish.Reserve} is negative", "give bytes, 0 for none");
        if (wish.Reserve > 0 && wish.Ephemeral)
            return RpcParameters.Invalid(name, $"pool '{name}' is ephemeral: its pages may go at any time, so it can have no reserve", "reserve for a persistent pool");
        return wish.Limit > 0 && wish.Reserve > wish.Limit
            ? RpcParameters.Invalid(name, $"pool '{name}': the reserve {ByteSize.Format(wish.Reserve)} is above its limit {ByteSize.Format(wish.Limit)}", "reserve no more than the limit")
            : null;
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
            : Refusal(name, "cannot be destroyed", errno);
    }

    /// <summary>A limit under which nothing could be stored, or that the store ends before, is a typing mistake.</summary>
    private RpcAnswer? UnusableLimit(string name, long limit)
    {
        if (limit < 0) return RpcParameters.Invalid(name, $"pool '{name}': the limit {limit} is negative", "give bytes, 0 for no limit");
        if (limit is > 0 and < ControlProtocol.SmallestLimit)
            return RpcParameters.Invalid(name, $"pool '{name}': a limit of {ByteSize.Format(limit)} leaves room for nothing", $"give at least {ByteSize.Format(ControlProtocol.SmallestLimit)}");
        var capacity = engine.Statistics().CapacityBytes;
        return limit > capacity
            ? RpcParameters.Invalid(name, $"pool '{name}': a limit of {ByteSize.Format(limit)} is more than the store's capacity of {ByteSize.Format(capacity)}",
                "give less, or leave the limit out")
            : null;
    }

    private NamedPool? Find(string name) => directory.Pools().FirstOrDefault(pool => pool.Name == name);

    private PoolSnapshot? Snapshot(PoolId id) => engine.Statistics().Pools.FirstOrDefault(pool => pool.Id == id);

    private static RpcAnswer? Unusable(string? name)
    {
        if (string.IsNullOrEmpty(name)) return RpcParameters.Invalid("name", "parameter name is missing or empty", "name the pool");
        if (name is "." or ".." || name.AsSpan().IndexOfAny('/', '\0') >= 0)
            return RpcParameters.Invalid(name, $"pool name '{name}' is no file name", "use a name without '/' and NUL other than . and ..");
        return Encoding.UTF8.GetByteCount(name) > LongestName
            ? RpcParameters.Invalid("name", $"the pool name has {Encoding.UTF8.GetByteCount(name)} bytes", $"use at most {LongestName} bytes")
            : null;
    }

    /// <summary>For the log of a proxy at most: whoever asked has gone.</summary>
    private static RpcAnswer GivenUp(string name) =>
        RpcAnswer.Fail(ControlErrorCode.Busy, $"pool '{name}': the caller hung up, so nothing was done", name, "ask again");

    private static RpcAnswer NoSuchPool(string name) =>
        RpcAnswer.Fail(ControlErrorCode.NotFound, $"no pool '{name}'", name, "see 'tmemctl pool list'");

    private static RpcAnswer Refusal(string name, string what, Errno errno)
    {
        var (code, why, remedy) = errno switch
        {
            Errno.ENOENT => (ControlErrorCode.NotFound, "it does not exist", "see 'tmemctl pool list'"),
            Errno.EEXIST => (ControlErrorCode.Exists, "the name is taken", "choose another name, or destroy the old one first"),
            Errno.ENOTEMPTY => (ControlErrorCode.NotEmpty, "it holds files", "remove them, or force it (--force)"),
            Errno.EBUSY => (ControlErrorCode.Busy, "a file of it is open", HasSwap() ? "close it; if swap is on it, with 'tmemctl swap off'" : "close it ('lsof' names who has it open)"),
            Errno.ENOSPC or Errno.ENOMEM or Errno.EDQUOT => (ControlErrorCode.NoRoom, "the store has no room for it beside what is stored and reserved", "free memory in the store, reserve less, or start tmemd with more --capacity"),
            Errno.EINVAL or Errno.ENAMETOOLONG => (ControlErrorCode.InvalidParameters, "name or options are not valid", "check name, kind and limit"),
            _ => (ControlErrorCode.Internal, "an unexpected error", "look at the daemon's log"),
        };
        return RpcAnswer.Fail(code, $"pool '{name}' {what}: {why} ({errno})", name, remedy);
    }

    /// <summary>Whether the machine swaps at all: where it does not, a hint at swap sends people looking.</summary>
    private static bool HasSwap()
    {
        try
        {
            return File.ReadLines("/proc/swaps").Skip(1).Any();
        }
        catch (IOException)
        {
            return true;
        }
    }
}
