using Tmem.Control.Messages;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>A stop of a store that is memory alone says what it would lose, and wants somebody's consent.</summary>
public sealed class StopLossTests : IDisposable
{
    private const string Loss = "stopping loses 4 files of 2 pools (a and b), 7.8 MiB: the store is memory alone";

    private readonly FakeServer _server = new();

    public StopLossTests()
    {
        _server.Pools.Add("a", "persistent");
        _server.Pools.Add("b", "persistent");
        _server.Pools.Add("cache", "ephemeral");
    }

    public void Dispose() => _server.Dispose();

    private bool WasStopped => _server.Calls.Contains(ControlMethod.Stop);

    [Fact]
    public void Nobody_there_means_no()
    {
        var outcome = Ctl.Run(_server, "stop");
        Assert.Equal((ExitCode.Failed, ""), (outcome.Code, outcome.Output));
        Assert.Equal($"tmemctl: tmemd goes on: {Loss}; copy what is needed out of {_server.Mount}, then stop with 'tmemctl "
            + $"--socket {_server.SocketPath} stop --force'\n", outcome.Error);
        var json = System.Text.Json.Nodes.JsonNode.Parse(Ctl.RunBefore("y\n", _server, "stop", "--json").Error)!;
        Assert.Equal(ControlErrorCode.StopRefused, json["code"]!.GetValue<int>());
        // That is about a region's file, and there is none.
        Assert.Equal(ExitCode.Failed, Ctl.Run(_server, "stop", "--discard").Code);
        Assert.False(WasStopped);
    }

    [Theory]
    [InlineData("y\n", true)]
    [InlineData(" YES \n", true)]
    [InlineData("n\n", false)]
    [InlineData("\n", false)]
    [InlineData("", false)]
    [InlineData("yesterday\n", false)]
    public void A_person_is_asked(string answer, bool stops)
    {
        var outcome = Ctl.RunBefore(answer, _server, "stop");
        Assert.StartsWith(Loss + ". Stop? [y/N] ", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(stops ? ExitCode.Done : ExitCode.Failed, outcome.Code);
        Assert.Equal(stops, WasStopped);
    }

    /// <summary>Swap is turned off only for a stop that is agreed to and would not be refused.</summary>
    [Theory]
    [InlineData("n\n", false, false)]
    [InlineData("y\n", true, false)]
    [InlineData("y\n", false, true)]
    public void Swap_is_turned_off_only_if_the_stop_follows(string answer, bool isBusy, bool stops)
    {
        var system = new FakeSwapSystem();
        Assert.Equal(ExitCode.Done, Ctl.Run(system, _server.SocketPath, "swap", "on").Code);
        system.Done.Clear();
        if (isBusy)
            _server.StopError = new RpcError(ControlErrorCode.StopRefused, "tmemd goes on: busy", new("/m", "end it"));
        var outcome = Ctl.RunBefore(answer, _server, system, "stop", "--swap-off");
        // Once, and without the pool of swap.
        Assert.StartsWith(Loss + ". Stop? [y/N] ", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(2, outcome.Error.Split("[y/N]").Length);
        Assert.Equal((stops ? ExitCode.Done : ExitCode.Failed, stops), (outcome.Code, system.Done.Contains("swapoff")));
        Assert.Equal(stops, system.On.Count == 0);
    }

    [Fact]
    public void It_is_stopped_by_force() => Assert.Equal(ExitCode.Done, Ctl.Run(_server, "stop", "--force").Code);

    [Fact]
    public void Nothing_is_asked_where_nothing_is_lost()
    {
        _server.Region = "/var/lib/tmem/region";
        Assert.Equal((ExitCode.Done, ""), (Ctl.Run(_server, "stop").Code, Ctl.Run(_server, "stop").Error));
        _server.Region = "memory";
        _server.Pools.Remove("a");
        _server.Pools.Remove("b");
        Assert.Equal(ExitCode.Done, Ctl.Run(_server, "stop").Code);
    }

    [Fact]
    public void Of_many_pools_a_few_are_named()
    {
        for (var i = 0; i < 5; i++) _server.Pools.Add($"pool{i}", "persistent");
        Assert.Contains("14 files of 7 pools (a, b, pool0 and 4 more)", Ctl.Run(_server, "stop").Error);
    }
}
