using System.CommandLine;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl help [COMMAND...]</c>, for those who look for help there; <c>--help</c> is the same.</summary>
internal static class HelpCommand
{
    public static Command Create(Func<string[], int> run)
    {
        var words = new Argument<string[]>("COMMAND")
        {
            Description = "The command, for example: help swap on.", Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command("help", "Shows this, or what a command does and takes.") { words };
        command.SetAction(parse => run([.. parse.GetValue(words) ?? [], "--help"]));
        return command;
    }
}
