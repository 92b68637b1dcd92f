using System.CommandLine;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl swap off</c>.</summary>
internal static class SwapOffCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var command = new Command("off", "Turns swap off and undoes what 'swap on' made: swapped pages return to memory, the store's memory is freed.");
        command.SetAction(parse => new SwapOff(context(parse)).Run());
        return command;
    }
}
