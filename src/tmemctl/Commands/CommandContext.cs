using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary>What every command works with.</summary>
internal sealed record CommandContext(ControlClient Client, ISwapSystem System, IMountSystem Mounts, Terminal Terminal)
{
    /// <summary>Command lines that address the daemon this one addresses.</summary>
    public ControlCommand Tmemctl => Client.Command;

    /// <summary>What those of swap work with.</summary>
    public SwapContext Swap => new(Client, System, Terminal);
}
