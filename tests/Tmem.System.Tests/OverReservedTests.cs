using System.Text.RegularExpressions;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>A region with larger reserves than the capacity that it is opened with: the daemon says so, with a remedy.</summary>
public sealed partial class OverReservedTests : IDisposable
{
    private readonly string _folder = Daemon.NewFolder();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_store_opened_below_its_reserves_says_so_and_names_what_ends_it()
    {
        var region = Path.Combine(_folder, "region");
        using (var daemon = Daemon.Start("128M", null, "--region", region))
        {
            daemon.Control("pool", "create", "plain").Succeeds();
            daemon.Control("pool", "create", "my db", "--reserve", "100M").Succeeds();
            Assert.DoesNotContain("guaranteed", daemon.Log, StringComparison.Ordinal);
            Assert.DoesNotContain("NO ROOM", daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
            daemon.Stop();
        }
        using (var daemon = Daemon.Start("32M", null, "--region", region))
        {
            var file = Path.Combine(daemon.Mount, "plain", "file");
            Assert.Throws<IOException>(() => Bounded.Run(() => File.WriteAllText(file, "text")));
            var command = $"tmemctl --socket {daemon.Socket} pool reserve my\\ db 0";
            Assert.Contains($"end a guarantee with '{command}'", daemon.Log, StringComparison.Ordinal);
            Assert.Contains(command, daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
            var swap = daemon.Control("swap", "on");
            Assert.Equal(1, swap.Code);
            var named = Remedy().Match(swap.Errors).Groups[1].Value;
            Assert.Equal(command, named);
            Command.Run("sh", "-c", named.Replace("tmemctl", Built.Control, StringComparison.Ordinal)).Succeeds();
            Assert.DoesNotContain("NO ROOM", daemon.Control("status").Succeeds().Output, StringComparison.Ordinal);
            Bounded.Run(() => File.WriteAllText(file, "text"));
            daemon.Stop();
        }
    }

    /// <summary>What the refusal of a reserve says would fit does fit.</summary>
    [Fact]
    public void The_reserve_that_a_refusal_names_is_given()
    {
        using var daemon = Daemon.Start("64M");
        var refused = daemon.Control("pool", "create", "p", "--reserve", "64M");
        Assert.Equal(1, refused.Code);
        var most = Most().Match(refused.Errors).Groups[1].Value;
        daemon.Control("pool", "create", "p", "--reserve", most).Succeeds();
        refused = daemon.Control("pool", "reserve", "p", "64M");
        Assert.Equal(1, refused.Code);
        daemon.Control("pool", "reserve", "p", Most().Match(refused.Errors).Groups[1].Value).Succeeds();
        daemon.Stop();
    }

    [GeneratedRegex("end a guarantee with '([^']*)'")]
    private static partial Regex Remedy();

    [GeneratedRegex("reserve at most ([0-9]+[KMG])")]
    private static partial Regex Most();
}
