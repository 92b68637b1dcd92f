using Tmem.Control.Messages;
using Tmem.Ctl.Native;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl pool ...</c>: each asks the daemon one thing and prints the answer.</summary>
internal static class PoolVerbs
{
    public static Verb List => new("list", "Lists the pools.",
        (context, _) => context.Terminal.Print(context.Client.Pools(), (output, list) => Write(output, list.Pools)));

    public static Verb Show()
    {
        var name = Takes.Pool();
        return new("show", "Shows everything counted for a pool.",
            (context, parse) => context.Terminal.Print(context.Client.ShowPool(parse.GetRequiredValue(name)), Write), name);
    }

    public static Verb Create()
    {
        var name = Takes.Pool("The new pool: a directory of this name appears in the mount.", isNew: true);
        var ephemeral = Takes.Flag("--ephemeral",
            "Pages may vanish when room is needed (reads then fail with ENODATA). Without it the pool is persistent.");
        var limit = Takes.SizeOrNoneOption("--limit",
            "Most memory the pool's pages may take, for example --limit 512M. Default: none, the store's capacity is the limit.",
            ControlProtocol.SmallestLimit);
        var reserve = Takes.SizeOrNoneOption("--reserve",
            "Memory the pool is guaranteed, for example --reserve 256M: what other pools store leaves it that room, and caches "
            + "make way. Default: none.");
        var refuse = Takes.Flag("--refuse-incompressible",
            "Refuse pages that do not shrink instead of storing them as they are.");
        var codec = Takes.Codec("What its pages are compressed with: lz4, lz4-reference or zstd. Default: lz4.");
        var page = Takes.Size("--page-size",
            "Bytes of a page; a pool of files has 4K, which is also the default.",
            ControlProtocol.LeastPageSize, ControlProtocol.MostPageSize);
        var owner = Takes.User("User that its directory belongs to, by name or number. Default: root.");
        var group = Takes.Group("Group that its directory belongs to. Default: root's.");
        var mode = Takes.Mode("Permissions of its directory, for example --mode 0700. Default: 0755.");
        return new("create", "Creates a pool.", (context, parse) => context.Terminal.Print(
            context.Client.CreatePool(new()
            {
                Name = parse.GetRequiredValue(name),
                Ephemeral = parse.GetValue(ephemeral),
                Limit = parse.GetValue(limit),
                Reserve = parse.GetValue(reserve),
                RefuseIncompressible = parse.GetValue(refuse),
                Codec = parse.GetValue(codec),
                PageSize = (int?)parse.GetValue(page),
                Owner = parse.GetValue(owner),
                Group = parse.GetValue(group),
                Mode = parse.GetValue(mode),
            }),
            (output, pool) => output.WriteLine($"created {pool.Kind} pool {Table.Printable(pool.Name)}, limit "
                + $"{Words.Limit(pool.LimitBytes)}{Words.Reserve(pool.ReserveBytes)}")),
            name, ephemeral, limit, reserve, refuse, codec, page, owner, group, mode);
    }

    public static Verb Reserve()
    {
        var name = Takes.Pool();
        var size = Takes.SizeOrNone("SIZE",
            "Memory it is guaranteed from now on, for example 256M; none (or 0) ends the guarantee.");
        return new("reserve", "Guarantees a pool memory, whatever other pools store.",
            (context, parse) => Reserve(context, parse.GetRequiredValue(name), parse.GetRequiredValue(size)), name, size);
    }

    private static int Reserve(CommandContext context, string name, long bytes)
    {
        var reply = context.Client.SetPool(new() { Name = name, Reserve = bytes });
        if (!context.Terminal.Take(reply, out var set, out var exit)) return exit;
        var pool = set.Pool;
        return context.Terminal.Done(pool, output => output.WriteLine($"pool {Table.Printable(pool.Name)} "
            + (pool.ReserveBytes == 0 ? "has no reserve" : $"is guaranteed {Words.Size(pool.ReserveBytes)}")));
    }

    public static Verb Empty()
    {
        var name = Takes.Pool();
        return new("empty",
            "Removes all files and pages of a pool, which stays with its settings. Refused while a file of it is open or swap is "
            + "on it. Whoever stands in its directory has to enter it again.",
            (context, parse) => context.Terminal.Print(context.Client.EmptyPool(parse.GetRequiredValue(name)),
                (output, empty) => output.WriteLine($"pool {Table.Printable(empty.Name)} is empty, "
                    + $"{Counted.Of(empty.PagesFreed, "page")} dropped")),
            name);
    }

    public static Verb Recompress()
    {
        var name = Takes.Pool();
        return new("recompress",
            "Stores all pages of a pool that nobody has used lately smaller, with Zstandard and a dictionary trained on them, "
            + "and says what that brought. It takes a processor, 70 us a page, while others are served. Older versions of tmemd "
            + "refuse the store from then on.",
            (context, parse) => context.Terminal.Print(context.Client.RecompressPool(parse.GetRequiredValue(name)),
                (output, done) => output.WriteLine($"pool {Table.Printable(done.Name)}: {Counted.Of(done.Pages, "page")} stored "
                    + $"smaller, {Words.Size(done.BytesWon)} won in {done.ProcessorSeconds:F1} s of a processor; its pages take "
                    + $"{Words.Size(done.Pool.Figures.SlotBytes)} for {Words.Size(done.Pool.Figures.OriginalBytes)}")),
            name);
    }

    public static Verb Destroy()
    {
        var name = Takes.Pool();
        var force = Takes.Flag("--force", "Destroy it although it holds files.");
        return new("destroy",
            "Destroys a pool and every page in it. Of files that the kernel still remembers, a record each stays in the store "
            + "until it forgets them.",
            (context, parse) => context.Terminal.Print(
                context.Client.DestroyPool(parse.GetRequiredValue(name), parse.GetValue(force)),
                (output, gone) => output.WriteLine($"destroyed pool {Table.Printable(gone.Name)}, "
                    + $"{Counted.Of(gone.PagesFreed, "page")}")),
            name, force);
    }

    private static void Write(TextWriter output, IReadOnlyList<PoolSummary> pools) =>
        Table.Write(output, ["NAME", "KIND", "PAGES>", "ORIGINAL>", "COMPRESSED>", "RATIO>", "MEMORY>", "LIMIT>", "RESERVE>"],
            pools.Select(pool => (IReadOnlyList<string>)
        [
            pool.Name, pool.Kind, Words.Count(pool.Pages), Words.Size(pool.OriginalBytes), Words.Size(pool.CompressedBytes),
            Words.Ratio(pool.OriginalBytes, pool.CompressedBytes), Words.Size(pool.MemoryBytes), Words.Limit(pool.LimitBytes),
            Words.Limit(pool.ReserveBytes),
        ]));

    private static void Write(TextWriter output, PoolReply pool) => Table.WritePairs(output,
    [
        ("pool", pool.Name),
        ("kind", pool.Kind),
        ("page size", Words.Size(pool.PageSize)),
        .. pool.Codec is { } codec ? [("codec", codec)] : Array.Empty<(string, string)>(),
        ("owner", $"{AccountNames.Of(pool.Owner, pool.Group)}, mode {Convert.ToString(pool.Mode, 8).PadLeft(4, '0')}"),
        ("limit", Words.Limit(pool.LimitBytes)),
        ("reserve", Words.Limit(pool.ReserveBytes)),
        ("incompressible", pool.RefuseIncompressible ? "refused" : "stored raw"),
        .. FigureTable.Rows(pool.Figures),
    ]);
}
