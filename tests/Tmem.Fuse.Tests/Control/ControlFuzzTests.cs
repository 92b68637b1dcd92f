using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Tmem.Control.Messages;
using Xunit;

namespace Tmem.Fuse.Tests.Control;

/// <summary>
/// Malformed lines close to valid ones: every method with parameters of every kind, members doubled, left out and of other types,
/// bytes flipped, lines cut, brackets by the thousand, peers that hang up in the middle. Each line is answered or its connection
/// ends, nothing fails inside the daemon, and it keeps serving.
/// </summary>
public sealed class ControlFuzzTests
{
    private static readonly string[] s_methods = ["status", "pool.list", "pool.show", "pool.create", "pool.destroy", "check",
        "pool.set", "pool.empty", "resize", "shrink", "compact", "sync", "client.list", "client.set", "stop",
        "upgrade", "adopt", "nope", "", "stop\0", "status "];
    private static readonly string[] s_names =
        ["name", "limit", "ephemeral", "force", "threads", "binary", "spin", "codec", "log", "refuseIncompressible", "mode",
        "owner", "pageSize",
        "capacity", "size", "id", "weight", "x"];
    private static readonly string[] s_texts =
        ["..", ".", "a/b", "\0", "", "p", "\ud800", "\u009b2J", "/dev/null", "relative", "zstd", "5"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Nothing_fails_inside(int seed)
    {
        using var fixture = new ControlServerFixture();
        var random = new Random(seed);
        for (var conversation = 0; conversation < 40; conversation++)
        {
            using var peer = fixture.Connect();
            try
            {
                for (var lines = random.Next(1, 40); lines > 0; lines--) peer.Send(Line(random));
                if (random.Next(4) == 0) continue;
                peer.EndSending();
                while (peer.Receive() is { } reply)
                    Assert.NotEqual(ControlErrorCode.Internal, reply["error"]?["code"]?.GetValue<int>() ?? 0);
            }
            catch (SocketException)
            {
                // A line that was too long ended it.
            }
        }
        using var after = fixture.Connect();
        Assert.NotNull(after.Call("status")["result"]);
        Assert.Empty(fixture.Log);
    }

    private static byte[] Line(Random random)
    {
        var text = Request(random);
        var bytes = Encoding.UTF8.GetBytes(text);
        switch (random.Next(16))
        {
            case 0 or 1:
                for (var flips = random.Next(1, 6); flips > 0; flips--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                break;
            case 2:
                bytes = bytes[..random.Next(bytes.Length)];
                break;
            case 3:
                bytes = [.. Enumerable.Repeat((byte)'[', random.Next(1, 3000)), .. bytes];
                break;
            case 4:
                bytes = [.. """{"jsonrpc":"2.0","id":1,"id":2,"method":"status","method":"pool.list","""u8,
                    .. """ "params":{},"params":[]}"""u8];
                break;
        }
        return [.. bytes.Select(b => b == (byte)'\n' ? (byte)'?' : b), (byte)'\n'];
    }

    private static string Request(Random random)
    {
        var parameters = new StringBuilder("{");
        for (var members = random.Next(4); members > 0; members--)
            parameters.Append(parameters.Length > 1 ? "," : "").Append('"').Append(Pick(random, s_names)).Append("\":")
                .Append(Value(random, 0));
        parameters.Append('}');
        var version = random.Next(10) == 0 ? Value(random, 3) : "\"2.0\"";
        var id = random.Next(5) == 0 ? Value(random, 0) : "7";
        var request = $$"""{"jsonrpc":{{version}},"id":{{id}},"method":{{Quoted(Pick(random, s_methods))}}""";
        return request + (random.Next(5) == 0 ? "" : $",\"params\":{(random.Next(12) == 0 ? Value(random, 0) : parameters)}")
            + "}";
    }

    private static string Value(Random random, int depth) => random.Next(12) switch
    {
        0 => random.NextInt64(long.MinValue, long.MaxValue).ToString() + random.Next(1000),
        1 => $"{random.NextDouble()}e{random.Next(-300, 300)}",
        2 => "null",
        3 => "true",
        4 => Quoted(new string('x', random.Next(2000))),
        5 => Quoted(Pick(random, s_texts)),
        6 when depth < 4 => $"[{Value(random, depth + 1)},{Value(random, depth + 1)}]",
        7 when depth < 4 => $"{{\"{Pick(random, s_names)}\":{Value(random, depth + 1)}}}",
        8 => "9223372036854775807",
        9 => "-1",
        _ => Quoted($"pool{random.Next(20)}"),
    };

    // A lone surrogate cannot be written in UTF-8, only as an escape.
    private static string Quoted(string text) => text.Any(char.IsSurrogate) ? "\"\\ud800\""
        : JsonValue.Create(text).ToJsonString();

    private static string Pick(Random random, string[] from) => from[random.Next(from.Length)];
}
