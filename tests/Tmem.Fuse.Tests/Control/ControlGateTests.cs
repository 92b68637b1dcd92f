using Tmem.Control.Messages;
using Tmem.Fuse.Control;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>No call of the management API runs beside the next worker.</summary>
public sealed class ControlGateTests
{
    private static readonly TimeSpan s_moment = TimeSpan.FromMilliseconds(20);

    [Fact]
    public void Whoever_closes_waits_for_each_call_and_lets_none_begin()
    {
        var gate = new ControlGate();
        Assert.Null(gate.TryEnter("pool.destroy", always: false));
        Assert.Null(gate.TryEnter("check", always: false));
        using var closed = new ManualResetEventSlim();
        var closing = ControlServerFixture.StartWaiting(() =>
        {
            gate.Close("another one follows");
            closed.Set();
        });
        Assert.Equal("another one follows", gate.TryEnter("pool.create", always: false));
        Assert.Equal("another one follows", gate.TryEnter("status", always: true));
        gate.Leave("check");
        Assert.False(closed.Wait(s_moment, TestContext.Current.CancellationToken));
        gate.Leave("pool.destroy");
        closing.Join();
        Assert.True(closed.IsSet);
    }

    [Fact]
    public void Whoever_holds_waits_for_the_others_names_the_one_that_goes_on_and_keeps_new_ones_out()
    {
        var gate = new ControlGate();
        gate.TryEnter("upgrade", always: true);
        gate.TryEnter("pool.destroy", always: false);
        Assert.False(gate.TryHold("an upgrade is under way", s_moment, out var inTheWay));
        Assert.Contains("pool.destroy", inTheWay, StringComparison.Ordinal);
        // It gave up: nothing is held.
        Assert.Null(gate.TryEnter("check", always: false));
        gate.Leave("check");
        gate.Leave("pool.destroy");
        // One who asks for figures again and again is not waited for.
        Assert.Null(gate.TryEnter("metrics", always: true));
        Assert.True(gate.TryHold("an upgrade is under way", s_moment, out _));
        gate.Leave("metrics");
        Assert.Equal("an upgrade is under way", gate.TryEnter("pool.destroy", always: false));
        Assert.Null(gate.TryEnter("status", always: true));
        gate.Leave("status");
        Assert.Null(gate.TryEnter("upgrade", always: true));
        Assert.False(gate.TryHold("another", s_moment, out inTheWay));
        Assert.Equal("an upgrade is under way", inTheWay);
        gate.Leave("upgrade");
        gate.Release();
        Assert.Null(gate.TryEnter("pool.destroy", always: false));
        gate.Leave("pool.destroy");
        gate.Leave("upgrade");
        gate.Close("over");
        gate.Release();
        Assert.Equal("over", gate.TryEnter("check", always: false));
    }

    [Fact]
    public void Beside_an_upgrade_figures_are_told_and_nothing_is_changed()
    {
        using var fixture = new ControlServerFixture();
        Assert.True(fixture.Calls.TryHold("an upgrade is under way", s_moment, out _));
        using var peer = fixture.Connect();
        foreach (var method in (string[])["status", "metrics", "pool.list", "client.list"])
            Assert.NotNull(peer.Ask($$"""{"jsonrpc":"2.0","id":1,"method":"{{method}}"}""")["result"]);
        foreach (var method in (string[])["compact", "pool.create", "check"])
        {
            Assert.Equal(ControlErrorCode.NotBegun,
                peer.Ask($$"""{"jsonrpc":"2.0","id":1,"method":"{{method}}"}""")["error"]!["code"]!.GetValue<int>());
        }
    }

    [Fact]
    public void A_call_that_comes_to_a_closed_gate_is_told_so()
    {
        using var fixture = new ControlServerFixture();
        using var hold = new ManualResetEventSlim();
        using var peer = fixture.ConnectAndCheck(hold);
        var closing = ControlServerFixture.StartWaiting(() => fixture.Calls.Close("this worker gives way"));
        using var other = fixture.Connect();
        other.Send("""{"jsonrpc":"2.0","id":2,"method":"pool.list"}""" + "\n");
        var refusal = other.Receive()!["error"]!;
        Assert.Equal("this worker gives way", refusal["message"]!.GetValue<string>());
        Assert.Equal(ControlErrorCode.NotBegun, refusal["code"]!.GetValue<int>());
        Assert.True(closing.IsAlive);
        hold.Set();
        closing.Join();
        Assert.NotNull(peer.Receive()!["result"]);
    }
}
