using System.CommandLine;
using System.Globalization;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl client ...</c>: the owners of pools.</summary>
internal static class ClientVerbs
{
    public static Verb List => new("list", "Lists the clients: their limits, weights, and what they hold.",
        (context, _) => context.Terminal.Print(context.Client.Clients(), (output, list) => Write(output, list.Clients)));

    public static Verb Set()
    {
        var id = new Argument<uint>("ID")
        {
            Description = "The client's number; the file system, with all pools of the mount, is 1.",
            CustomParser = argument => (uint)(UsageValues.Number(argument, "ID", 1, int.MaxValue) ?? 0),
        };
        var limit = Takes.SizeOrNoneIfGiven("--limit",
            "Most memory that all its pools together may take, or none. What it holds above that stays, and it grows no more.",
            ControlProtocol.SmallestLimit);
        var weight = Takes.Number("--weight",
            "Its part of ephemeral memory when the store is full, relative to the weights of other clients.", 1,
            ControlProtocol.MaximumWeight);
        id.NeedsOneOf([limit, weight]);
        return new("set", "Changes limit and weight of a client. Kept in the region.", (context, parse) => context.Terminal.Print(
            context.Client.SetClient(new()
            {
                Id = parse.GetRequiredValue(id), Limit = parse.GetValue(limit), Weight = parse.GetValue(weight),
            }),
            (output, client) => output.WriteLine(
                $"client {client.Id}: limit {Words.Limit(client.LimitBytes)}, weight {client.Weight}"
                + (client.LimitBytes > 0 && client.MemoryBytes > client.LimitBytes
                    ? $"; it holds {Words.Size(client.MemoryBytes - client.LimitBytes)} more than that, and grows no more until "
                        + "it holds less" : ""))),
            id, limit, weight);
    }

    private static void Write(TextWriter output, IReadOnlyList<ClientFigures> clients) =>
        Table.Write(output, ["CLIENT>", "POOLS>", "PAGES>", "MEMORY>", "EPHEMERAL>", "SHARE>", "WEIGHT>", "LIMIT>", "STATE"],
            clients.Select(string[] (client) =>
            [
                client.Id.ToString(CultureInfo.InvariantCulture), Words.Count(client.Pools), Words.Count(client.Pages),
                Words.Size(client.MemoryBytes), Words.Size(client.EphemeralBytes), Words.Size(client.ShareBytes),
                Words.Count(client.Weight), Words.Limit(client.LimitBytes), client.Frozen ? "frozen" : "",
            ]));
}
