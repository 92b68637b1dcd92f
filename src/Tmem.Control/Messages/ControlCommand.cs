using System.Text;

namespace Tmem.Control.Messages;

/// <summary>
/// The command lines that messages suggest, made only here: each addresses the daemon that the message is about. Without its
/// --socket, a copied line would stop another daemon, or turn swap off on it.
/// </summary>
internal sealed class ControlCommand(string socketPath)
{
    private readonly string _program = Path.GetFullPath(socketPath) is var socket && socket == ControlProtocol.DefaultSocket
        ? "tmemctl" : $"tmemctl --socket {ShellWord.Of(socket)}";

    /// <summary>A command line: <c>tmemctl --socket /run/second.sock pool reserve my\ pool none</c>.</summary>
    /// <param name="command">The command and its options, as typed.</param>
    /// <param name="values">The arguments behind them, names that others chose.</param>
    public string Line(string command, params ReadOnlySpan<string> values)
    {
        var line = new StringBuilder(_program).Append(' ').Append(command);
        var looksLikeOption = false;
        foreach (var value in values) looksLikeOption |= value.StartsWith('-');
        if (looksLikeOption) line.Append(" --");
        foreach (var value in values) line.Append(' ').Append(ShellWord.Of(value));
        return line.ToString();
    }
}
