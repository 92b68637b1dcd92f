using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Mounts;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>Of every option of a mount that a remount does not change, it tells what changes it; but for what is so already.
/// </summary>
public sealed class RemountTests : IDisposable
{
    private readonly FakeServer _server = new();

    public void Dispose() => _server.Dispose();

    private List<string> Left(string list)
    {
        var wish = MountOptions.Read("remount," + list, isSloppy: false, out var problem);
        Assert.True(wish is not null, problem);
        return [.. Remounting.Differences(wish, new ControlClient(_server.SocketPath).Status().Value!)];
    }

    [Theory]
    [InlineData("threads=8", "threads=8 is nothing that a remount changes, and it stays 4; 'CTL upgrade --threads 8' changes it")]
    [InlineData("spin=7", "spin=7 is nothing that a remount changes, and it stays SPIN; 'CTL upgrade --spin 7' changes it")]
    [InlineData("codec=zstd",
        "codec=zstd is nothing that a remount changes, and it stays pool; 'CTL upgrade --codec zstd' changes it")]
    [InlineData("log-level=error",
        "log-level=error is nothing that a remount changes, and it stays info; 'CTL upgrade --log error' changes it")]
    [InlineData("region=/x", "region=/x is nothing that a remount changes, and it stays none; unmount it and mount it again")]
    [InlineData("huge-pages", "huge-pages is nothing that a remount changes, and it stays off; unmount it and mount it again")]
    [InlineData("sync-interval=77",
        "sync-interval=77 is nothing that a remount changes, and it stays 5; unmount it and mount it again")]
    [InlineData("socket=/x.sock",
        "socket=/x.sock is nothing that a remount changes, and it stays SOCKET; unmount it and mount it again")]
    [InlineData("log=/x.log",
        "log=/x.log is nothing that a remount changes, and it stays elsewhere; unmount it and mount it again")]
    public void What_a_remount_leaves_is_told_with_what_changes_it(string option, string line)
    {
        _server.Processes = _server.Processes with { KeeperPid = Environment.ProcessId };
        Assert.Equal([line.Replace("CTL", $"tmemctl --socket {_server.SocketPath}", StringComparison.Ordinal)
            .Replace("SOCKET", _server.SocketPath, StringComparison.Ordinal)
            .Replace("SPIN", $"{ControlProtocol.UsualSpin}", StringComparison.Ordinal)], Left(option));
    }

    [Fact]
    public void What_is_so_already_is_not_told() => Assert.Empty(
        Left($"ro,capacity=1G,uid=0,threads=4,spin={ControlProtocol.UsualSpin},codec=pool,log-level=info,sync-interval=5,"
        + $"socket={_server.SocketPath}"));

    /// <summary>An option that the table gets tomorrow is told, too.</summary>
    [Fact]
    public void Every_option_of_the_daemon_is_told()
    {
        foreach (var option in MountOptions.All)
        {
            var wish = new MountWish();
            var values = option.Argument is null ? [""] : new[] { "/x", "7", "zstd", "error" };
            if (!values.Any(value => option.Apply(wish, value) is null) || wish.DaemonOptions.Count == 0)
                continue;
            var line = Assert.Single(Remounting.Differences(wish, new ControlClient(_server.SocketPath).Status().Value!));
            Assert.StartsWith(option.Names[0], line, StringComparison.Ordinal);
        }
    }
}
