using System.Text;

namespace Tmem.Control.Messages;

/// <summary>
/// The command lines that messages give people to type, the one place where they are made: each addresses the daemon that the
/// message speaks of. Without its --socket, what is copied would stop, or turn swap off at, another one.
/// </summary>
internal sealed class ControlCommand(string socketPath)
{
    private readonly string _program = Path.GetFullPath(socketPath) is var socket && socket == ControlProtocol.DefaultSocket
        ? "tmemctl" : $"tmemctl --socket {ShellWord.Of(socket)}";

    /// <summary>A command line: <c>tmemctl --socket /run/second.sock pool reserve my\ pool none</c>.</summary>
    /// <param name="command">The command and its options, as they are typed.</param>
    /// <param name="values">What stands behind them, which somebody else has named.</param>
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
