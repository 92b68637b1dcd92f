using System.CommandLine;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl swap off</c>.</summary>
internal static class SwapOffCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var force = new Option<bool>("--force")
        {
            Description = "Try it even if memory for what is swapped is missing: the kernel may kill processes to make room.",
        };
        var command = new Command("off",
            "Turns swap off and undoes what 'swap on' made: swapped pages return to memory, the store's memory is freed.")
        {
            force,
        };
        command.SetAction(parse => new SwapOff(context(parse)).Run(parse.GetValue(force)));
        return command;
    }
}
