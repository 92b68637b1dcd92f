using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Swap;

/// <summary>The environment of the swap commands.</summary>
internal sealed record SwapContext(ControlClient Client, ISwapSystem System, Terminal Terminal)
{
    /// <summary>Command lines that address the same daemon.</summary>
    public ControlCommand Tmemctl => Client.Command;
}
