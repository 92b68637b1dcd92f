using System.Text.Json.Nodes;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Tests;

/// <summary>The outcome of a run of tmemctl.</summary>
internal sealed record Outcome(int Code, string Output, string Error)
{
    public JsonNode Json => JsonNode.Parse(Output)!;
    public string[] Lines => Output.TrimEnd('\n').Split('\n');
}

internal static class Ctl
{
    public static Outcome Run(ISwapSystem system, string socket, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = CommandTree.Run([.. arguments, "--socket", socket], output, error, system, new NoMounts());
        return new Outcome(code, output.ToString(), error.ToString());
    }

    /// <summary>The same at a terminal, where a person answers.</summary>
    public static Outcome RunBefore(string answer, FakeServer server, params string[] arguments) =>
        RunBefore(answer, server, new FakeSwapSystem(), arguments);

    /// <summary>The same on a machine that has swap.</summary>
    public static Outcome RunBefore(string answer, FakeServer server, ISwapSystem system, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var person = new StringReader(answer);
        var code = CommandTree.Run([.. arguments, "--socket", server.SocketPath], output, error, system,
            new NoMounts(), person);
        return new Outcome(code, output.ToString(), error.ToString());
    }

    public static Outcome Run(FakeServer server, params string[] arguments) =>
        Run(new FakeSwapSystem(), server.SocketPath, arguments);
}

/// <summary>A machine without tmem mounts: a test of the command line recovers nothing on the real one.</summary>
internal sealed class NoMounts : IMountSystem
{
    public IReadOnlyList<TmemMount> Mounts() => [];
    public MountState State(TmemMount mount) => MountState.Silent;
    public string? Over(TmemMount mount) => null;
    public bool IsGone(TmemMount mount) => true;
    public string? Below(TmemMount mount) => null;
    public string? Unmount(TmemMount mount, bool lazily) => "there is none";

    public string? Leave(int connection) => null;

    public bool RemoveStaleSocket(string path, out string? left)
    {
        left = null;
        return false;
    }
}
