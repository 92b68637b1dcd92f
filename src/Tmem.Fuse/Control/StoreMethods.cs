using System.Diagnostics;
using Tmem.Control.Host;
using Tmem.Control.Messages;
using Tmem.Engine;

namespace Tmem.Fuse.Control;

/// <summary>resize, shrink, compact and sync: the store as a whole.</summary>
/// <param name="daemon">Keeps the capacity.</param>
/// <param name="engine">The store.</param>
/// <param name="tmemctl">Command lines that address this daemon.</param>
internal sealed class StoreMethods(IDaemon daemon, IEngineView engine, ControlCommand tmemctl)
{
    private const string Subject = "store";

    /// <summary>
    /// resize. What cannot fit is refused before any page makes way; if others store meanwhile, it may be refused after that.
    /// </summary>
    public RpcAnswer Resize(ResizeParameters wish, Func<bool> wanted)
    {
        var capacity = wish.Capacity;
        var before = engine.Statistics();
        if (capacity < ControlProtocol.SmallestCapacity)
            return RpcParameters.Invalid(Subject, $"a capacity of {ByteSize.Format(capacity)} is too small",
                $"give at least {ByteSize.Format(ControlProtocol.SmallestCapacity)}");
        if (capacity > engine.MaximumCapacity)
            return RpcParameters.Invalid(Subject, $"the store cannot have {ByteSize.Format(capacity)}: it was made for "
                + $"{ByteSize.Format(engine.MaximumCapacity)} at most, and that is so for as long as it lives",
                $"give at most {ByteSize.Exact(engine.MaximumCapacity)}, or start another with more, and "
                + "save and restore what this one holds");
        if (capacity > PhysicalMemory.Bytes)
            return RpcParameters.Invalid(Subject, $"a capacity of {ByteSize.Format(capacity)} is more than this machine has, "
                + $"{ByteSize.Format(PhysicalMemory.Bytes)}", "give less");
        if (before.UsedBytes - engine.FreeableBytes() > capacity) return TooMuch(capacity, before);
        if (!wanted()) return RpcAnswer.HungUp("resize", Subject);
        var status = engine.Resize(capacity);
        if (status == TmemStatus.Reserved)
            return Fail($"the store cannot shrink to {ByteSize.Format(capacity)}: pools hold and are guaranteed more than that, "
                + $"{ByteSize.Format(before.ReservedBytes)} are reserved", "lower a reserve ("
                + $"'{tmemctl.Line("pool reserve")}'), or give a higher capacity");
        if (status != TmemStatus.Ok) return TooMuch(capacity, engine.Statistics());
        daemon.KeepCapacity(capacity);
        return Room(before);
    }

    /// <summary>shrink: as far as it gets.</summary>
    public RpcAnswer Shrink(ShrinkParameters wish, Func<bool> wanted)
    {
        if (wish.Size < 0) return RpcParameters.Invalid(Subject, $"a size of {wish.Size} is negative", "give bytes, 0 for all");
        if (!wanted()) return RpcAnswer.HungUp("shrink", Subject);
        var before = engine.Statistics();
        if (before.UsedBytes > wish.Size) engine.Shrink(before.UsedBytes - wish.Size);
        return Room(before);
    }

    /// <summary>compact.</summary>
    public RpcAnswer Compact()
    {
        var before = engine.Statistics();
        engine.Compact();
        return Room(before);
    }

    /// <summary>sync.</summary>
    public RpcAnswer Sync()
    {
        var started = Stopwatch.GetTimestamp();
        var status = engine.Sync();
        var file = daemon.RegionName;
        var seconds = Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 3);
        return status switch
        {
            TmemStatus.Ok => RpcAnswer.Of(new SyncReply(file, engine.Statistics().Durability.Checkpoints, seconds),
                ControlJson.Default.SyncReply),
            TmemStatus.DiskFull => RpcAnswer.Fail(ControlErrorCode.NoRoom,
                $"{file} cannot be written: its disk is full; all that is stored stays in memory", file,
                $"make room on that disk, and see '{tmemctl.Line("status")}'"),
            TmemStatus.FileRemoved when RemovedRegion.Of(daemon, tmemctl) is var (what, remedy) => Fail(what, remedy),
            _ => Fail($"{file} cannot be written ({status}); all that is stored stays in memory", "see to its disk"),
        };
    }

    private RpcAnswer Room(EngineStatistics before)
    {
        var now = engine.Statistics();
        return RpcAnswer.Of(new RoomReply
        {
            CapacityBytes = now.CapacityBytes,
            UsedBytesBefore = before.UsedBytes,
            UsedBytes = now.UsedBytes,
            PagesEvicted = now.Total.Evictions - before.Total.Evictions,
            SlotsMoved = now.SlotsMoved - before.SlotsMoved,
        }, ControlJson.Default.RoomReply);
    }

    private RpcAnswer TooMuch(long capacity, EngineStatistics now)
    {
        var stay = ByteSize.Format(Math.Max(0, now.UsedBytes - engine.FreeableBytes()));
        return Fail($"the store cannot shrink to {ByteSize.Format(capacity)}: it takes {ByteSize.Format(now.UsedBytes)}, and "
            + $"{stay} of it have to stay; its capacity is {ByteSize.Format(now.CapacityBytes)} as before",
            "remove files, or give a higher capacity");
    }

    private static RpcAnswer Fail(string message, string remedy) =>
        RpcAnswer.Fail(ControlErrorCode.NoRoom, message, Subject, remedy);
}
