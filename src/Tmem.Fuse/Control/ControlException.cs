namespace Tmem.Fuse.Control;

/// <summary>The control socket cannot be opened at start-up; the message names the socket and the remedy.</summary>
internal sealed class ControlException : Exception
{
    public ControlException(string message, Exception? inner = null) : base(message, inner) { }
}
