using System.Net;
using System.Net.Sockets;
using System.Text;
using Tmem.Ctl.Metrics;
using Xunit;

namespace Tmem.Ctl.Tests.Metrics;

/// <summary>The server of <c>tmemctl metrics --listen</c>, with clients of every kind.</summary>
public sealed class MetricServerTests : IDisposable
{
    private readonly MetricServer _server;
    private readonly Thread _thread;
    private int _collected;

    public MetricServerTests()
    {
        _server = MetricServer.TryListen(new IPEndPoint(IPAddress.Loopback, 0), () => $"tmem_up {++_collected}\n",
            new MetricServerLimits(Clients: 2, Time: 300), out var problem) ?? throw new InvalidOperationException(problem);
        _thread = new Thread(_server.Run);
        _thread.Start();
    }

    public void Dispose()
    {
        _server.Dispose();
        _thread.Join();
    }

    [Fact]
    public async Task A_client_of_http_gets_the_text_of_now()
    {
        using var client = new HttpClient();
        for (var time = 1; time <= 3; time++)
        {
            using var answer = await client.GetAsync(new Uri($"http://{_server.Place}/metrics"),
                TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
            Assert.Equal($"tmem_up {time}\n", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }
    }

    [Theory]
    [InlineData("GET /metrics?x=y HTTP/1.0\r\n\r\n", "200 OK")]
    [InlineData("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "200 OK")]
    [InlineData("GET /metrics HTTP/1.1\n\n", "200 OK")]
    [InlineData("GET /etc/passwd HTTP/1.1\r\n\r\n", "404 Not Found")]
    [InlineData("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed")]
    [InlineData("nonsense\r\n\r\n", "400 Bad Request")]
    [InlineData("GET /metrics HTTP/2\r\n\r\n", "400 Bad Request")]
    [InlineData("\u0000\u0001\r\n\r\n", "400 Bad Request")]
    public void Every_request_gets_its_status(string request, string status)
    {
        var answer = Ask(request);
        Assert.StartsWith($"HTTP/1.1 {status}\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nConnection: close\r\n", answer, StringComparison.Ordinal);
        if (request.StartsWith("HEAD", StringComparison.Ordinal))
            Assert.EndsWith("\r\n\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_that_does_not_end_ends_the_connection()
    {
        Assert.Equal("", Ask("GET /metrics HTTP/1.1\r\n"));
        Assert.Equal("", Ask(new string('x', 10_000)));
        Assert.StartsWith("HTTP/1.1 200", Ask("GET /metrics HTTP/1.1\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void Clients_beyond_the_limit_are_told_and_silent_ones_free_their_places()
    {
        using var one = Connect();
        using var two = Connect();
        Thread.Sleep(50);
        Assert.StartsWith("HTTP/1.1 503", Receive(Connect()), StringComparison.Ordinal);
        Assert.Equal("", Receive(one));
        Assert.Equal("", Receive(two));
        var answer = "";
        for (var tries = 0; tries < 100 && !answer.StartsWith("HTTP/1.1 200", StringComparison.Ordinal); tries++)
        {
            answer = Ask("GET /metrics HTTP/1.1\r\n\r\n");
            Thread.Sleep(20);
        }
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
    }

    /// <summary>As at a daemon that hangs: nobody waits for another's collection and then for one more.</summary>
    [Fact]
    public async Task Who_asks_during_a_collection_shares_it_however_long_it_takes()
    {
        using var begun = new ManualResetEventSlim();
        using var end = new ManualResetEventSlim();
        var collected = 0;
        using var server = MetricServer.TryListen(new IPEndPoint(IPAddress.Loopback, 0), () =>
        {
            begun.Set();
            end.Wait();
            return $"tmem_up {++collected}\n";
        }, new MetricServerLimits(Clients: 4, Time: 300), out _)!;
        var thread = new Thread(server.Run);
        thread.Start();
        using var client = new HttpClient { BaseAddress = new Uri($"http://{server.Place}") };
        Task<string> Ask() => client.GetStringAsync(new Uri("/metrics", UriKind.Relative), TestContext.Current.CancellationToken);
        var first = Ask();
        begun.Wait(TestContext.Current.CancellationToken);
        Task<string>[] all = [first, Ask(), Ask()];
        await Task.Delay(1000, TestContext.Current.CancellationToken);
        end.Set();
        Assert.All(await Task.WhenAll(all), text => Assert.Equal("tmem_up 1\n", text));
        Assert.Equal("tmem_up 2\n", await Ask());
        server.Dispose();
        thread.Join();
    }

    [Fact]
    public void A_taken_port_is_named()
    {
        using var other = MetricServer.TryListen(_server.Place, () => "", new MetricServerLimits(), out var problem);
        Assert.Null(other);
        Assert.Equal("another process listens there", problem);
        using var server = new FakeServer();
        var outcome = Ctl.Run(server, "metrics", "--listen", $"{_server.Place}");
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Equal($"tmemctl: cannot listen on {_server.Place}: another process listens there; give another --listen\n",
            outcome.Error);
        outcome = Ctl.Run(server, "metrics", "--listen", "192.0.2.1:9738");
        Assert.Equal("tmemctl: cannot listen on 192.0.2.1:9738: this machine has no such address; give another --listen\n",
            outcome.Error);
    }

    [Theory]
    [InlineData("9738")]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.1:")]
    [InlineData("127.0.0.1:65536")]
    [InlineData("127.0.0.1:-1")]
    [InlineData("::1:9738")]
    [InlineData("[127.0.0.1]:9738")]
    [InlineData("host:9738")]
    [InlineData("")]
    public void What_is_no_place_is_wrong_usage(string place)
    {
        using var server = new FakeServer();
        var outcome = Ctl.Run(server, "metrics", "--listen", place);
        Assert.Equal(ExitCode.Usage, outcome.Code);
        Assert.Contains("--listen", Assert.Single(outcome.Error.TrimEnd('\n').Split('\n')));
    }

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 10_000 };
        socket.Connect(_server.Place);
        return socket;
    }

    private string Ask(string request)
    {
        using var socket = Connect();
        socket.Send(Encoding.Latin1.GetBytes(request));
        return Receive(socket);
    }

    private static string Receive(Socket socket)
    {
        var text = new StringBuilder();
        var bytes = new byte[4096];
        try
        {
            while (socket.Receive(bytes) is > 0 and var length) text.Append(Encoding.Latin1.GetString(bytes, 0, length));
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionReset)
        {
            // It closed on bytes that it had not read.
        }
        return text.ToString();
    }
}
