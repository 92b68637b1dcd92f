using System.CommandLine;

namespace Tmem.Ctl.Commands;

/// <summary>A command: its name, what it says of itself, what it does, and what it takes.</summary>
/// <param name="Name">The last word of it: "create".</param>
/// <param name="Description">For <c>--help</c>.</param>
/// <param name="Run">Carries it out; returns the exit code.</param>
/// <param name="Takes">Arguments and options, in the order in which help names them.</param>
internal sealed record Verb(string Name, string Description, Func<CommandContext, ParseResult, int> Run,
    params IReadOnlyList<Symbol> Takes)
{
    /// <summary>As the library has it.</summary>
    /// <param name="context">What a run of it works with.</param>
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
