using System.CommandLine;

namespace Tmem.Ctl.Commands;

/// <summary>A command: its name, description, action and parameters.</summary>
/// <param name="Name">Its last word: "create".</param>
/// <param name="Description">For <c>--help</c>.</param>
/// <param name="Run">Carries it out; returns the exit code.</param>
/// <param name="Takes">Arguments and options, in the order of the help.</param>
internal sealed record Verb(string Name, string Description, Func<CommandContext, ParseResult, int> Run,
    params IReadOnlyList<Symbol> Takes)
{
    /// <summary>The library's form of it.</summary>
    /// <param name="context">Makes the environment of a run.</param>
    public Command Make(Func<ParseResult, CommandContext> context)
    {
        var command = new Command(Name, Description);
        foreach (var taken in Takes)
        {
            if (taken is Argument argument) command.Add(argument);
            else command.Add((Option)taken);
        }
        command.SetAction(parse => Run(context(parse), parse));
        return command;
    }
}
