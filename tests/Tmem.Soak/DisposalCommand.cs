using System.CommandLine;
using Tmem.Control.CommandLine;

namespace Tmem.Soak;

/// <summary>
/// <c>disposal</c>: engines disposed of while others call them. What goes wrong here ends the process, so it is one of its own.
/// </summary>
internal static class DisposalCommand
{
    public static Command Create()
    {
        var rounds = new Option<int>("--rounds")
        {
            Description = "Engines opened and disposed of.", DefaultValueFactory = _ => 1000,
        };
        var seed = new Option<int>("--seed")
        {
            Description = "When each is disposed of.", DefaultValueFactory = _ => Environment.TickCount & 0xFFFFFF,
        };
        var command = new Command("disposal",
            "Disposes of engines beside calls of every kind: each ends as it should or is answered that the engine is gone.")
        {
            rounds, seed,
        };
        command.SetAction((parse, stop) =>
        {
            if (parse.GetValue(rounds) < 1)
                return Task.FromResult(Usage.Refuse(Console.Error, "scripts/soak disposal", "--rounds must be 1 or more"));
            var soak = new DisposalSoak(parse.GetValue(seed));
            var failure = soak.Run(parse.GetValue(rounds), stop);
            Console.WriteLine(failure is null ? $"soak: PASS {soak.Summary()}" : $"soak: FAIL {failure}");
            return Task.FromResult(failure is null ? 0 : 1);
        });
        return command;
    }
}
