using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Changes of a pool's settings: limit, reserve and codec in the engine, owner and mode of its directory. Each is one store of
/// the region. What can be refused comes first, and is undone if what follows it is refused.
/// </summary>
internal sealed class PoolChanges(
    NamespaceLock namespaceLock, TmemClient client, InodeTable inodes, PoolTable pools, Names names, Removals removals)
{
    private readonly Lock _changing = new();

    /// <inheritdoc cref="IPoolDirectory.ChangePool"/>
    public Errno Change(string name, in PoolChange change)
    {
        if (PoolDirectories.EncodeName(name, out var encoded) != Errno.Ok) return Errno.ENOENT;
        // One at a time: what one has checked, another does not change.
        lock (_changing) return Change(encoded, in change);
    }

    private Errno Change(byte[] encoded, in PoolChange change)
    {
        try
        {
            Errno error;
            PoolId id;
            // The room of removed files counts as free, even while their pages are still being dropped.
            do error = TryChange(encoded, in change, out id);
            while (error == Errno.ENOSPC && removals.DropSome());
            if (error != Errno.Ok) return error;
            // Without the lock: an ephemeral pool evicts down to a lower limit, which may take long.
            if (change.Limit is { } limit) error = StatusErrno.Of(client.Limit(id, limit));
            Refresh(id);
            return error;
        }
        catch (DamagedRecordException)
        {
            return Errno.EIO;
        }
    }

    /// <summary>All but the limit, which is checked here and cannot be refused any more.</summary>
    private Errno TryChange(ReadOnlySpan<byte> name, in PoolChange change, out PoolId id)
    {
        id = default;
        using var held = namespaceLock.Enter();
        var error = names.Find(inodes.Root, name, out _, out var directory);
        if (error != Errno.Ok) return error;
        if (pools.Of(directory, in inodes[directory]) is not { } pool) return Errno.ENOENT;
        id = pool.Id;
        if (client.PoolInfo(id, out var now) is var found and not TmemStatus.Ok) return StatusErrno.Of(found);
        var (limit, reserve) = (now!.Options.LimitBytes, now.Options.ReserveBytes);
        if (change.Limit < 0 || (change.Limit is > 0 and var wish && (change.Reserve ?? reserve) > wish)) return Errno.EINVAL;
        // A reserve fits the limit at every moment: a higher limit comes before a higher reserve, and a lower one after.
        var isRaised = change.Limit is { } asked && limit != 0 && (asked == 0 || asked > limit);
        if (isRaised && client.Limit(id, change.Limit!.Value) is var raised and not TmemStatus.Ok) return StatusErrno.Of(raised);
        var status = change.Reserve is { } bytes ? client.Reserve(id, bytes) : TmemStatus.Ok;
        if (status == TmemStatus.Ok && change.Codec is { } codec && (status = client.Recode(id, codec)) != TmemStatus.Ok
            && change.Reserve is not null) client.Reserve(id, reserve);
        if (status != TmemStatus.Ok)
        {
            if (isRaised) client.Limit(id, limit);
            return StatusErrno.Of(status);
        }
        ChangeAccess(ref inodes[directory], in change);
        if (change.Owner is not null || change.Group is not null || change.Mode is not null) inodes.TouchChange(directory);
        return Errno.Ok;
    }

    private static void ChangeAccess(ref InodeRecord directory, in PoolChange change)
    {
        // Rights are taken before the directory is given to another, and given after that.
        var mode = change.Mode is { } wish ? (directory.Mode & InodeMode.TypeMask) | (wish & InodeMode.PermissionMask)
            : directory.Mode;
        Volatile.Write(ref directory.Mode, directory.Mode & mode);
        if (change.Owner is { } owner) directory.Uid = owner;
        if (change.Group is { } group) directory.Gid = group;
        Volatile.Write(ref directory.Mode, mode);
    }

    private void Refresh(PoolId id)
    {
        using var held = namespaceLock.Enter();
        if (pools.Find(id.Value) is { } pool && client.PoolInfo(id, out var info) == TmemStatus.Ok) pool.Options = info!.Options;
    }
}
