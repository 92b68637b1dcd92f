using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary>Commands about the store as a whole.</summary>
internal static class StoreVerbs
{
    public static Verb Compact => new("compact",
        "Moves pages together and gives the memory between them back. It happens in the background too; this does all of it now.",
        (context, _) => context.Terminal.Print(context.Client.Compact(), (output, room) => output.WriteLine(
            $"{Counted.Of(room.SlotsMoved, "slot")} moved, {Words.Size(Math.Max(0, room.UsedBytesBefore - room.UsedBytes))} "
            + $"given back: the store takes {Words.Size(room.UsedBytes)} of {Words.Size(room.CapacityBytes)}")));

    public static Verb Sync => new("sync",
        "Writes the region's file, and returns when all that is stored now outlives a power cut.",
        (context, _) => context.Terminal.Print(context.Client.Sync(), (output, sync) => output.WriteLine(
            ControlProtocol.IsFile(sync.Region) ? $"{Table.Printable(sync.Region)} is written"
                : "the store is memory alone: there is no file to write")));

    public static Verb Resize()
    {
        var size = Takes.SizeArgument("SIZE",
            "The new capacity, for example 2GiB: up to four times what the store was made with.",
            ControlProtocol.SmallestCapacity);
        return new("resize",
            "Changes the store's capacity while it is in use, until the daemon is started again. A lower one costs ephemeral "
            + "pages; if what is left does not fit, nothing is changed.",
            (context, parse) => context.Terminal.Print(context.Client.Resize(parse.GetRequiredValue(size)),
                (output, room) => output.WriteLine($"the store has a capacity of {Words.Size(room.CapacityBytes)} and takes "
                    + Words.Size(room.UsedBytes) + Evicted(room))),
            size);
    }

    public static Verb Shrink()
    {
        var size = Takes.SizeArgument("SIZE",
            "Most memory that the store is to take, for example 256M; 0 for as little as can be.");
        return new("shrink",
            "Gives memory back now: closes holes and drops ephemeral pages until the store takes at most SIZE. Its capacity "
            + "stays. Exit code 1 if it takes more in the end, as far as it got.",
            (context, parse) => Shrink(context, parse.GetRequiredValue(size)), size);
    }

    private static int Shrink(CommandContext context, long size)
    {
        if (!context.Terminal.Take(context.Client.Shrink(size), out var room, out var exit)) return exit;
        exit = context.Terminal.Done(room, output => output.WriteLine($"the store takes {Words.Size(room.UsedBytes)}, "
            + $"{Words.Size(Math.Max(0, room.UsedBytesBefore - room.UsedBytes))} less{Evicted(room)}"
            + (room.UsedBytes > size && size > 0 ? "; the rest has to stay" : "")));
        return room.UsedBytes <= size || size == 0 ? exit : ExitCode.Failed;
    }

    private static string Evicted(RoomReply room) =>
        room.PagesEvicted > 0 ? $"; {Counted.Of(room.PagesEvicted, "ephemeral page")} made way" : "";
}
