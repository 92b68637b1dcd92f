using Tmem.Control.Host;
using Tmem.Control.Messages;

namespace Tmem.Fuse.Control;

/// <summary>Who sends the requests of a connection, and what he may ask for.</summary>
/// <param name="Who">As the kernel recorded it when he connected.</param>
/// <param name="Access">What he may ask for.</param>
internal sealed record ControlPeer(PeerCredentials Who, ControlAccess Access)
{
    /// <summary>Whether he may call a method.</summary>
    public bool May(string method) =>
        Access == ControlAccess.All || (Access == ControlAccess.Figures && ControlMethod.IsOfFigures(method));

    /// <summary>In words, for the log. The program's name is what the process calls itself, and proves nothing.</summary>
    public override string ToString() =>
        $"user {Who.Uid}, process {Who.Pid} ({KernelFile.TryRead($"/proc/{Who.Pid}/comm") ?? "ended"})";
}
