using Tmem.Control.Messages;
using Tmem.Ctl.Commands;
using Tmem.Ctl.Metrics;
using Tmem.Ctl.Top;
using Xunit;

namespace Tmem.Ctl.Tests.Top;

/// <summary>What <c>tmemctl top</c> shows of two looks, and <c>status --watch</c>.</summary>
public sealed class TopTests
{
    [Fact]
    public void Quantiles_lie_within_their_buckets()
    {
        // 10 of at most 1 us, 80 of 2 to 4, 10 beyond the last bound of 8.
        var latency = new Latency([10, 0, 80, 0, 10], 1_000_000, 2);
        Assert.Equal((100, 50.0, 1e-5), (latency.Requests, latency.Rate, latency.Mean));
        Assert.Equal(0.5e-6, latency.Quantile(0.05)!.Value, 9);
        Assert.Equal(3e-6, latency.Quantile(0.5)!.Value, 9);
        Assert.Equal(4e-6, latency.Quantile(0.9)!.Value, 9);
        Assert.Equal(8e-6, latency.Quantile(0.99)!.Value, 9);
        Assert.Null(new Latency([0, 0], 0, 1).Quantile(0.5));
        Assert.Null(new Latency([0, 0], 0, 1).Mean);
    }

    [Fact]
    public void Rates_are_of_the_time_between_two_looks()
    {
        var change = new Change(Look(puts: 100, requests: [5, 5]), Look(puts: 300, requests: [5, 25]), 4);
        Assert.Equal(50, change.Rate(figures => figures.PutsStored));
        Assert.Equal(50, change.Rate(change.Now.Reply.Pools[0], figures => figures.PutsStored));
        var latency = change.Latency(change.Now.Reply.Requests[0]);
        Assert.Equal([0, 20], latency.Counts);
        Assert.Equal(5, latency.Rate);
    }

    [Fact]
    public void Counters_that_have_fallen_began_anew()
    {
        var change = new Change(Look(puts: 1000, requests: [50, 50]), Look(puts: 30, requests: [50, 10]), 3);
        Assert.Equal(10, change.Rate(figures => figures.PutsStored));
        Assert.Equal([50, 10], change.Latency(change.Now.Reply.Requests[0]).Counts);
    }

    [Fact]
    public void At_the_first_look_there_are_no_rates()
    {
        var change = new Change(null, Look(puts: 5, requests: [1, 0]), 1);
        Assert.Null(change.Rate(figures => figures.PutsStored));
        Assert.Null(change.Latency(change.Now.Reply.Requests[0]).Rate);
        Assert.Contains(TopView.Lines(change, PoolOrder.Memory, 0), line => line.Contains("puts -", StringComparison.Ordinal));
    }

    [Fact]
    public void Pools_are_in_the_order_of_the_chosen_column()
    {
        var now = Look(1, [1]);
        now = now with
        {
            Reply = now.Reply with { Pools = [Pool("b", pages: 1, slots: 30), Pool("c", pages: 9, slots: 10), Pool("a", 5, 20)] },
        };
        string Names(PoolOrder order) => string.Concat(order.Sort(new Change(null, now, 1)).Select(pool => pool.Name));
        Assert.Equal(("bac", "cab", "abc"), (Names(PoolOrder.Memory), Names(PoolOrder.Pages), Names(PoolOrder.Name)));
        Assert.Equal(PoolOrder.Name, PoolOrder.Memory.Move(-1));
        Assert.Equal(PoolOrder.Memory, PoolOrder.Name.Move(1));
        var lines = TopView.Lines(new Change(null, now, 1), PoolOrder.Pages, from: 1);
        Assert.Contains(lines, line => line.Contains("[PAGES]", StringComparison.Ordinal));
        Assert.StartsWith("a ", lines[^2], StringComparison.Ordinal);
        Assert.StartsWith("b ", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_small_terminal_gets_what_it_has_room_for() =>
        Assert.Equal(["abc", "de"], TopView.Cut(["abcdef", "de", "f"], width: 3, height: 2));

    /// <summary>A cell is no letter: some take two, some none, and some are two of C#'s.</summary>
    [Theory]
    [InlineData("日本語", 3, "日")]
    [InlineData("日本語", 4, "日本")]
    [InlineData("日", 1, "")]
    [InlineData("e\u0301e\u0301x", 2, "e\u0301e\u0301")]
    [InlineData("a\U0001F600b", 2, "a")]
    [InlineData("a\U0001F600b", 3, "a\U0001F600")]
    [InlineData("abc", 0, "")]
    [InlineData("abc", -1, "")]
    public void A_line_is_cut_between_letters_by_the_room_that_they_take(string line, int width, string cut) =>
        Assert.Equal([cut], TopView.Cut([line], width, 1));

    /// <summary>Long names leave the figures their room, and no more pools are laid out than can be seen.</summary>
    [Theory]
    [InlineData("x")]
    [InlineData("語")]
    [InlineData("e\u0301")]
    public void Long_names_and_many_pools_leave_a_terminal_of_any_size_usable(string letter)
    {
        var name = string.Concat(Enumerable.Repeat(letter, 200));
        var now = Look(1, [1]);
        now = now with
        {
            Reply = now.Reply with
            {
                Pools = [.. Enumerable.Range(0, 832).Select(pool => Pool($"{pool:000}{name}", pages: 1234567, slots: 9))],
            },
        };
        var change = new Change(null, now, 1);
        foreach (var (width, height) in ((int, int)[])[(1, 1), (20, 5), (0, 0), (80, 25), (500, 60)])
        {
            var lines = TopView.Lines(change, PoolOrder.Name, 0, width, height);
            Assert.InRange(lines.Count, height, height + 30);
            var cut = TopView.Cut(lines, width, height).ToList();
            Assert.Equal(height, cut.Count);
            Assert.All(cut, line => Assert.InRange(new Spectre.Console.Rendering.Segment(line).CellCount(), 0, width));
        }
        var shown = TopView.Cut(TopView.Lines(change, PoolOrder.Name, 0, 80, 40), 80, 40).First(line =>
            line.StartsWith("000", StringComparison.Ordinal));
        Assert.Contains("…  persistent ", shown, StringComparison.Ordinal);
        Assert.Contains("1234567 ", shown, StringComparison.Ordinal);
        Assert.Equal(832, TopView.Lines(change, PoolOrder.Name, 0).Count(line => line.Contains(name, StringComparison.Ordinal)));
    }

    [Fact]
    public void Without_a_terminal_there_is_one_frame()
    {
        using var server = new FakeServer();
        server.Pools.Add("cache", "ephemeral");
        var outcome = Ctl.Run(server, "top");
        Assert.Equal(ExitCode.Done, outcome.Code);
        Assert.Contains(outcome.Lines, line => line.StartsWith("cache ", StringComparison.Ordinal));
        Assert.Contains(outcome.Lines, line => line.StartsWith("REQUESTS ", StringComparison.Ordinal));
        Assert.DoesNotContain("\e", outcome.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Unreachable, Ctl.Run(new FakeSwapSystem(), "/nowhere/sock", "top", "--once").Code);
        Assert.Equal(4711, Ctl.Run(server, "top", "--json").Json["status"]!["pid"]!.GetValue<int>());
    }

    [Fact]
    public void A_repeated_command_goes_on_after_a_failure_and_ends_when_it_is_told()
    {
        using var output = new StringWriter { NewLine = "\n" };
        var times = 0;
        var exit = Repetition.Run(output, onTerminal: false, () =>
        {
            output.WriteLine($"time {++times}");
            return times == 2 ? ExitCode.Unreachable : times;
        }, () => times < 3);
        Assert.Equal((3, "time 1\n\ntime 2\n\ntime 3\n"), (exit, output.ToString()));
    }

    private static Snapshot Look(long puts, long[] requests)
    {
        using var server = new FakeServer();
        var figures = FakeServer.Figures with { PutsStored = puts };
        server.Requests = [new RequestLatencies("read", requests.Sum() * 1000, requests)];
        var now = Snapshot.Take(new Tmem.Control.ControlClient(server.SocketPath), new FakeSwapSystem(), out _)!;
        return now with
        {
            Reply = now.Reply with
            {
                Status = now.Status with { Total = figures }, Pools = [Pool("p", 1, 1) with { Figures = figures }],
            },
        };
    }

    private static PoolReply Pool(string name, long pages, long slots) => new()
    {
        Name = name, Id = FakeServer.IdOf(name), Kind = "persistent", PageSize = 4096, LimitBytes = 0,
        RefuseIncompressible = false,
        Figures = FakeServer.Figures with { Pages = pages, SlotBytes = slots, IndexBytes = 0, RecordBytes = 0 },
    };
}
