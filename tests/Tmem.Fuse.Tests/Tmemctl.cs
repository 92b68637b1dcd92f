using Tmem.Control.Messages;

namespace Tmem.Fuse.Tests;

/// <summary>Command lines for tests that have no daemon of their own.</summary>
internal static class Tmemctl
{
    public static ControlCommand Default { get; } = new(ControlProtocol.DefaultSocket);
}
