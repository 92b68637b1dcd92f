using System.Net.Sockets;
using System.Text;
using Mono.Unix.Native;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>Requests beyond the limits: each gets its own error, and the daemon keeps serving.</summary>
public class LimitTests
{
    private const long Largest = 1L << 44;

    [Fact]
    public void A_name_of_256_bytes_is_too_long_and_one_of_255_is_not()
    {
        using var daemon = Daemon.Start("64M");
        var pool = daemon.Pool("p");
        Assert.Equal(Errno.ENAMETOOLONG, Bounded.Run(() => Files.Create(Path.Combine(pool, new string('n', 256)))));
        Assert.Equal((Errno)0, Bounded.Run(() => Files.Create(Path.Combine(pool, new string('n', 255)))));
        daemon.Stop();
    }

    [Fact]
    public void A_file_ends_at_16_TiB()
    {
        using var daemon = Daemon.Start("64M");
        var file = Path.Combine(daemon.Pool("p"), "large");
        Bounded.Run(() =>
        {
            var descriptor = Files.Open(file, OpenFlags.O_CREAT | OpenFlags.O_RDWR, out _);
            Assert.Equal(Errno.EFBIG, Files.Write(descriptor, "past"u8, Largest));
            Assert.Equal((Errno)0, Files.Write(descriptor, "last"u8, Largest - 4));
            Assert.Equal(Largest, new FileInfo(file).Length);
            Assert.Equal(Errno.EFBIG, Files.Truncate(descriptor, Largest + 1));
            Files.Close(descriptor);
        });
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void An_unknown_pool_is_named()
    {
        using var daemon = Daemon.Start("64M");
        foreach (var verb in new[] { "show", "destroy" })
        {
            var outcome = daemon.Control("pool", verb, "nosuchpool");
            Assert.Equal(1, outcome.Code);
            Assert.Contains("nosuchpool", outcome.All, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Files_in_the_top_level_are_refused()
    {
        using var daemon = Daemon.Start("64M");
        Assert.Equal(Errno.EPERM, Bounded.Run(() => Files.Create(Path.Combine(daemon.Mount, "file"))));
    }

    [Theory]
    [InlineData("not json at all\n")]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no.such.method\"}\n")]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pool.show\",\"params\":17}\n")]
    [InlineData("\0\u0001\u0002\n")]
    [InlineData("{\"jsonrpc\":\"2.0\",")]
    public void Malformed_control_messages_leave_the_daemon_serving(string message)
    {
        using var daemon = Daemon.Start("64M");
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            socket.Connect(new UnixDomainSocketEndPoint(daemon.Socket));
            socket.ReceiveTimeout = 5000;
            socket.Send(Encoding.UTF8.GetBytes(message));
            if (message.EndsWith('\n'))
            {
                var answer = new byte[4096];
                Assert.Contains("error", Encoding.UTF8.GetString(answer, 0, socket.Receive(answer)), StringComparison.Ordinal);
            }
        }
        daemon.Control("status").Succeeds();
        daemon.Stop();
    }
}
