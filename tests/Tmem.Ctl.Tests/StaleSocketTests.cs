using System.Net.Sockets;
using Tmem.Ctl.Recover;
using Xunit;

namespace Tmem.Ctl.Tests;

/// <summary>
/// Sockets and locks of this process. A child that another test starts inherits both until it executes its program, so no other
/// test runs beside these.
/// </summary>
[CollectionDefinition(nameof(StaleSocketTests), DisableParallelization = true)]
[Collection(nameof(StaleSocketTests))]
public sealed class StaleSocketTests
{
    [Fact]
    public void Only_one_of_ours_that_nobody_listens_on_is_taken_away()
    {
        var folder = Directory.CreateTempSubdirectory("tmem-recover-").FullName;
        try
        {
            var precious = Path.Combine(folder, "precious");
            File.WriteAllText(precious, "data");
            var link = Path.Combine(folder, "link");
            var socket = Path.Combine(folder, "sock");
            using (var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            {
                listener.Bind(new UnixDomainSocketEndPoint(socket + ".tmp"));
                File.Move(socket + ".tmp", socket); // so that its end does not take it away
                File.CreateSymbolicLink(link, socket);
                listener.Listen(1);
                Assert.False(StaleSocket.Remove(socket, out var left));
                Assert.Null(left);
            }
            foreach (var other in new[] { precious, link, folder })
            {
                Assert.False(StaleSocket.Remove(other, out var left));
                Assert.Contains("is no socket", left);
            }
            Assert.Equal("data", File.ReadAllText(precious));
            Assert.True(File.Exists(socket));
            Assert.True(StaleSocket.Remove(socket, out _));
            Assert.False(File.Exists(socket));
            Assert.False(StaleSocket.Remove(socket, out var nothing));
            Assert.Null(nothing);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
