using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using Tmem.Control;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Metrics;
using Tmem.Ctl.Native;
using Tmem.Ctl.Output;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl metrics</c>: once, to a file, or for whoever asks.</summary>
internal static class MetricsCommand
{
    /// <summary>For each collection of a server, if --timeout says nothing else: a scrape waits for 10 s as a rule.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    public static Verb Create()
    {
        var file = Takes.Path("--textfile", "FILE",
            "Write them to this file instead, in one step, for the textfile collector of node_exporter, which reads *.prom. "
            + "Without a daemon the file says tmem_up 0.");
        var listen = new Option<IPEndPoint?>("--listen")
        {
            Description = "Serve them over HTTP at /metrics until interrupted, for example --listen 127.0.0.1:9738. Without a "
                + "daemon it answers tmem_up 0.",
            HelpName = "ADDR:PORT",
            CustomParser = Place,
        };
        listen.Validators.Add(result =>
        {
            if (result.Parent is CommandResult command && command.GetResult(file) is { Implicit: false })
                result.AddError("--listen and --textfile: give one of them");
        });
        return new("metrics",
            "Prints what a monitor collects, in Prometheus' text format; docs/monitoring.md says what each metric is.",
            (context, parse) => parse.GetValue(listen) is { } place ? Listen(context, place)
                : parse.FullPath(file) is { } path ? Write(context, path) : Print(context), file, listen);
    }

    private static int Print(CommandContext context)
    {
        var now = Snapshot.Take(context.Client, context.System, out var reply);
        return context.Terminal.Print(reply, (output, _) => output.Write(PrometheusText.Of(now!)));
    }

    private static int Write(CommandContext context, string path)
    {
        var now = Snapshot.Take(context.Client, context.System, out var reply);
        try
        {
            Replace(path, TextOf(now, reply));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return context.Terminal.Fail(ExitCode.Failed, $"{path} cannot be written: {FileTrouble.Clause(error)}",
                "see to its directory, or name another file");
        }
        return context.Terminal.Take(reply, out _, out var exit) ? ExitCode.Done : exit;
    }

    /// <summary>A reader sees the old file or the new one.</summary>
    private static void Replace(string path, string text)
    {
        const UnixFileMode everybodyReads = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead
            | UnixFileMode.OtherRead;
        using var file = new ReplacingFile(path, everybodyReads);
        file.Stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
        file.Complete();
    }

    private static int Listen(CommandContext context, IPEndPoint place)
    {
        var client = context.Client.Patience is null ? new ControlClient(context.Client.SocketPath) { Patience = s_patience }
            : context.Client;
        using var server = MetricServer.TryListen(place, () => Collect(client, context.System), new MetricServerLimits(),
            out var problem);
        if (server is null)
            return context.Terminal.Fail(ExitCode.Failed, $"cannot listen on {place}: {problem}", "give another --listen");
        context.Terminal.Note($"http://{server.Place}/metrics");
        server.Run();
        return ExitCode.Done;
    }

    private static string Collect(ControlClient client, ISwapSystem system) =>
        TextOf(Snapshot.Take(client, system, out var reply), reply);

    /// <summary>A daemon that refuses to tell its figures answers: it is up.</summary>
    private static string TextOf(Snapshot? now, Reply<MetricsReply> reply) =>
        now is not null ? PrometheusText.Of(now) : PrometheusText.OfNone(isUp: reply.Error is not null);

    /// <summary>"127.0.0.1:9738", "[::1]:9738", ":9738" for all addresses.</summary>
    private static IPEndPoint? Place(ArgumentResult result)
    {
        var text = UsageValues.Text(result);
        var colon = text.LastIndexOf(':');
        var host = colon < 0 ? "" : text[..colon];
        if (colon >= 0 && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port <= IPEndPoint.MaxPort)
        {
            if (host.Length == 0)
                return new IPEndPoint(System.Net.Sockets.Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, port);
            var isBracketed = host.StartsWith('[') && host.EndsWith(']');
            if (IPAddress.TryParse(isBracketed ? host[1..^1] : host, out var address)
                && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 == isBracketed)
                return new IPEndPoint(address, port);
        }
        result.AddError($"--listen: '{text}' is no address and port; write it as 127.0.0.1:9738, [::1]:9738, or :9738 for all "
            + "addresses");
        return null;
    }
}
