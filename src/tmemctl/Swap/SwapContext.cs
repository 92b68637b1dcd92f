using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>What the swap commands work with.</summary>
internal sealed record SwapContext(ControlClient Client, ISwapSystem System, Terminal Terminal)
{
    /// <summary>Command lines that address the daemon this one addresses.</summary>
    public ControlCommand Tmemctl => Client.Command;
}
