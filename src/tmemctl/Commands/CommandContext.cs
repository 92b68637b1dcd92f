using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary>The environment of a command.</summary>
/// <param name="Client">The daemon.</param>
/// <param name="System">Swap on this machine.</param>
/// <param name="Mounts">Mounts on it.</param>
/// <param name="Terminal">Where results go.</param>
/// <param name="MountPoint">The mount that was named; null if none was.</param>
/// <param name="SocketIsNamed">Whether the socket was.</param>
internal sealed record CommandContext(ControlClient Client, ISwapSystem System, IMountSystem Mounts, Terminal Terminal,
    string? MountPoint = null, bool SocketIsNamed = false)
{
    /// <summary>Command lines that address the same daemon.</summary>
    public ControlCommand Tmemctl => Client.Command;

    /// <summary>The environment of the swap commands.</summary>
    public SwapContext Swap => new(Client, System, Terminal);
}
