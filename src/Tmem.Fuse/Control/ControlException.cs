namespace Tmem.Fuse.Control;

/// <summary>The control socket cannot be opened, or made anew; the message names the socket and the remedy.</summary>
internal sealed class ControlException : Exception
{
    public ControlException(string message, Exception? inner = null) : base(message, inner) { }
}
