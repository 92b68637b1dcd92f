using System.CommandLine;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl swap status</c>.</summary>
internal static class SwapStatusCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var command = new Command("status", "Shows the swap devices that stand on the store.");
        command.SetAction(parse => new SwapStatus(context(parse)).Run());
        return command;
    }
}
