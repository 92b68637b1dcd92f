using Tmem.Control.Messages;

namespace Tmem.Fuse.Tests;

/// <summary>Command lines for what is tested without a daemon of its own.</summary>
internal static class Tmemctl
{
    public static ControlCommand Default { get; } = new(ControlProtocol.DefaultSocket);
}
