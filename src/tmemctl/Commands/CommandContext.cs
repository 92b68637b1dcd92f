using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary>The environment of a command.</summary>
internal sealed record CommandContext(ControlClient Client, ISwapSystem System, IMountSystem Mounts, Terminal Terminal)
{
    /// <summary>Command lines that address the same daemon.</summary>
    public ControlCommand Tmemctl => Client.Command;

    /// <summary>The environment of the swap commands.</summary>
    public SwapContext Swap => new(Client, System, Terminal);
}
