namespace Tmem.Fuse.Native;

/// <summary>The daemon cannot start; the message names the obstacle and the remedy.</summary>
internal sealed class StartupException : Exception
{
    public StartupException(string message, Exception? inner = null) : base(message, inner) { }
}
