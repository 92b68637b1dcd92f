using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>The commands that change a pool, the store or a client: what is asked for, and what is said.</summary>
public sealed class StoreCommandTests : IDisposable
{
    private readonly FakeServer _server = new();

    public StoreCommandTests()
    {
        _server.Pools.Add("data", "persistent");
        _server.Pools.Add("cache", "ephemeral");
    }

    public void Dispose() => _server.Dispose();

    [Fact]
    public void A_pool_is_made_with_codec_owner_and_mode()
    {
        Assert.Equal(ExitCode.Done, Ctl.Run(_server, "pool", "create", "new", "--codec", "zstd", "--page-size", "4K", "--owner",
            "root", "--group", "12345", "--mode", "0750").Code);
        var wish = _server.Created[^1];
        Assert.Equal((Tmem.Control.Messages.CodecWish.Zstd, 4096, 0u, 12345u, 0x1E8u),
            (wish.Codec, wish.PageSize, wish.Owner, wish.Group, wish.Mode));
        Ctl.Run(_server, "pool", "create", "plain");
        wish = _server.Created[^1];
        Assert.True(wish is { Codec: null, PageSize: null, Owner: null, Group: null, Mode: null });
    }

    /// <summary>For people; programs get numbers.</summary>
    [Fact]
    public void An_owner_is_shown_by_name_where_it_has_one()
    {
        Assert.Contains("owner           root:root, mode 0000", Ctl.Run(_server, "pool", "show", "data").Lines);
        Assert.Equal(0, Ctl.Run(_server, "pool", "show", "data", "--json").Json["owner"]!.GetValue<int>());
    }

    [Fact]
    public void A_pool_is_set_and_told_what_that_costs()
    {
        var outcome = Ctl.Run(_server, "pool", "set", "data", "--limit", "1M", "--mode", "700", "--owner", "4000007");
        Assert.Equal(ExitCode.Done, outcome.Code);
        Assert.Equal("persistent pool data: limit 1.0 MiB, codec zstd, owner 4000007:root, mode 0700\nit takes 1.0 MiB more "
            + "than its limit: nothing that makes it grow is stored until files are removed\n", outcome.Output);
        Assert.True(_server.Set is { Limit: 1 << 20, Mode: 0x1C0, Owner: 4_000_007, Reserve: null, Codec: null, Group: null });
        Assert.Contains("\n3 pages made way for the limit\n", Ctl.Run(_server, "pool", "set", "cache", "--limit", "1M").Output);
        Ctl.Run(_server, "pool", "set", "data", "--limit", "none", "--reserve", "0");
        Assert.True(_server.Set is { Limit: 0, Reserve: 0 });
        Assert.Equal(1 << 20, Ctl.Run(_server, "pool", "set", "data", "--limit", "1M", "--json").Json["excessBytes"]!
            .GetValue<int>());
    }

    [Theory]
    [InlineData("nothing is to be changed; give --limit, --reserve, --codec, --owner, --group or --mode", "pool", "set", "data")]
    [InlineData("--page-size: the page size of a pool is for life", "pool", "set", "data", "--page-size", "8K")]
    [InlineData("--ephemeral: the kind of a pool is for life", "pool", "set", "data", "--ephemeral")]
    [InlineData("create another pool and copy the files; see tmemctl pool set --help", "pool", "set", "data", "--persistent")]
    [InlineData("--mode: '888' is no mode; write it in octal", "pool", "set", "data", "--mode", "888")]
    [InlineData("--mode: '10000' is no mode", "pool", "create", "x", "--mode", "10000")]
    [InlineData("--owner: there is no user 'no such user' on this machine", "pool", "create", "x", "--owner", "no such user")]
    [InlineData("--group: there is no group '-5' on this machine", "pool", "set", "data", "--group=-5")]
    [InlineData("--codec: 'gzip' is not known; give lz4, lz4-reference or zstd", "pool", "create", "x", "--codec", "gzip")]
    [InlineData("--page-size: '2K' is too small", "pool", "create", "x", "--page-size", "2K")]
    [InlineData("SIZE: '5K' is too small; the least is 1.0 MiB", "resize", "5K")]
    [InlineData("SIZE is missing", "resize")]
    [InlineData("SIZE: 'all' is not a size", "shrink", "all")]
    [InlineData("nothing is to be changed; give --limit or --weight", "client", "set", "1")]
    [InlineData("ID: '0' is not a whole number from 1", "client", "set", "0", "--weight", "2")]
    [InlineData("--weight: '65536' is not a whole number from 1 to 65535", "client", "set", "1", "--weight", "65536")]
    public void Wrong_usage_is_one_line_with_what_is_right(string says, params string[] arguments)
    {
        var outcome = Ctl.Run(_server, arguments);
        Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Output));
        Assert.Contains(says, outcome.Error);
        Assert.EndsWith($"see tmemctl {string.Join(' ', arguments.TakeWhile(word => word is "pool" or "client" or "set"
            or "create" or "resize" or "shrink"))} --help\n", outcome.Error, StringComparison.Ordinal);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(_server.Calls);
    }

    [Fact]
    public void A_pool_is_emptied()
    {
        Assert.Equal("pool data is empty, 1000 pages dropped\n", Ctl.Run(_server, "pool", "empty", "data").Output);
        Assert.Equal(ExitCode.Failed, Ctl.Run(_server, "pool", "empty", "none").Code);
        Assert.Equal(1000, Ctl.Run(_server, "pool", "empty", "data", "--json").Json["pagesFreed"]!.GetValue<int>());
    }

    [Fact]
    public void The_store_is_resized_shrunk_compacted_and_written()
    {
        Assert.Equal("the store has a capacity of 1.0 GiB and takes 256.0 MiB; 1 ephemeral page made way\n",
            Ctl.Run(_server, "resize", "1G").Output);
        Assert.Equal("44 slots moved, 44.0 MiB given back: the store takes 256.0 MiB of 1.0 GiB\n",
            Ctl.Run(_server, "compact").Output);
        Assert.Equal("the store is memory alone: there is no file to write\n", Ctl.Run(_server, "sync").Output);
        _server.Region = "/var/lib/region";
        Assert.Equal("/var/lib/region is written\n", Ctl.Run(_server, "sync").Output);
        foreach (var verb in new[] { "compact", "sync" })
            Assert.Equal(ExitCode.Done, Ctl.Run(_server, verb, "--json").Code);
    }

    [Theory]
    [InlineData("256M", ExitCode.Done, "")]
    [InlineData("0", ExitCode.Done, "")]
    [InlineData("100M", ExitCode.Failed, "; the rest has to stay")]
    public void A_store_that_stays_larger_than_asked_for_is_exit_code_1(string size, int code, string end)
    {
        var outcome = Ctl.Run(_server, "shrink", size);
        Assert.Equal((code, $"the store takes 256.0 MiB, 44.0 MiB less; 1 ephemeral page made way{end}\n"),
            (outcome.Code, outcome.Output));
    }

    [Fact]
    public void Clients_are_listed_and_set()
    {
        var lines = Ctl.Run(_server, "client", "list").Lines;
        Assert.Equal(["CLIENT", "POOLS", "PAGES", "MEMORY", "EPHEMERAL", "SHARE", "WEIGHT", "LIMIT", "STATE"],
            lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(["1", "2", "1000", "5.0", "MiB", "1.0", "MiB", "1.0", "MiB", "1", "none"],
            lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal("client 1: limit 8.0 MiB, weight 4\n",
            Ctl.Run(_server, "client", "set", "1", "--limit", "8M", "--weight", "4").Output);
        Assert.Equal("client 1: limit 4.0 MiB, weight 1; it holds 1.0 MiB more than that, and grows no more until it holds "
            + "less\n", Ctl.Run(_server, "client", "set", "1", "--limit", "4M").Output);
        Assert.Equal(1, Ctl.Run(_server, "client", "list", "--json").Json["clients"]![0]!["weight"]!.GetValue<int>());
    }
}
