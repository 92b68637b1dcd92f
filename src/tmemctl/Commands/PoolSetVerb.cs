using System.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl pool set</c>.</summary>
internal static class PoolSetVerb
{
    public static Verb Create()
    {
        var name = Takes.Pool();
        var limit = Takes.SizeOrNoneIfGiven("--limit",
            "Most memory the pool's pages may take, or none. An ephemeral pool drops pages until it fits; a persistent one keeps "
            + "all, and takes nothing that makes it grow until it fits.", ControlProtocol.SmallestLimit);
        var reserve = Takes.SizeOrNoneIfGiven("--reserve", "Memory the pool is guaranteed, or none.");
        var codec = Takes.Codec("What new pages are compressed with: lz4, lz4-reference or zstd. Stored ones stay as they are.");
        var owner = Takes.User("User that its directory belongs to, by name or number.");
        var group = Takes.Group("Group that its directory belongs to.");
        var mode = Takes.Mode("Permissions of its directory, for example --mode 0700.");
        Option[] changes = [limit, reserve, codec, owner, group, mode];
        // What cannot be changed is refused with the reason, rather than as an unknown option.
        Option[] forLife =
        [
            ForLife("--ephemeral", "the kind"), ForLife("--persistent", "the kind"), ForLife("--page-size", "the page size"),
            ForLife("--refuse-incompressible", "how pages that do not shrink are treated"),
        ];
        name.NeedsOneOf(changes, forLife);
        return new("set", "Changes settings of a pool while it is in use: all that are given, or none.",
            (context, parse) => context.Terminal.Print(
                context.Client.SetPool(new()
                {
                    Name = parse.GetRequiredValue(name),
                    Limit = parse.GetValue(limit),
                    Reserve = parse.GetValue(reserve),
                    Codec = parse.GetValue(codec),
                    Owner = parse.GetValue(owner),
                    Group = parse.GetValue(group),
                    Mode = parse.GetValue(mode),
                }), Write),
            [name, .. changes, .. forLife]);
    }

    private static Option<string?> ForLife(string name, string what)
    {
        var option = new Option<string?>(name) { Hidden = true, Arity = ArgumentArity.ZeroOrOne };
        option.Validators.Add(result => result.AddError($"{name}: {what} of a pool is for life, because what is stored depends "
            + "on it; create another pool and copy the files"));
        return option;
    }

    private static void Write(TextWriter output, PoolSetReply set)
    {
        var pool = set.Pool;
        output.WriteLine($"{pool.Kind} pool {Table.Printable(pool.Name)}: limit {Words.Limit(pool.LimitBytes)}"
            + $"{Words.Reserve(pool.ReserveBytes)}, codec {pool.Codec}, owner {AccountNames.Of(pool.Owner, pool.Group)}, "
            + "mode " + Convert.ToString(pool.Mode, 8).PadLeft(4, '0'));
        if (set.PagesEvicted > 0) output.WriteLine($"{Counted.Of(set.PagesEvicted, "page")} made way for the limit");
        if (set.ExcessBytes > 0)
            output.WriteLine($"it takes {Words.Size(set.ExcessBytes)} more than its limit: nothing that makes it grow is stored "
                + "until files are removed");
    }
}
