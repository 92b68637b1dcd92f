using System.CommandLine;
using Tmem.Control.CommandLine;

namespace Tmem.Soak;

/// <summary><c>flips</c>: damaged regions, one flipped bit a round.</summary>
internal static class FlipsCommand
{
    public static Command Create()
    {
        var rounds = new Option<int>("--rounds") { Description = "Flips.", DefaultValueFactory = _ => 20_000 };
        var seed = new Option<int>("--seed")
        {
            Description = "Which bits.", DefaultValueFactory = _ => Environment.TickCount & 0xFFFFFF,
        };
        var trace = new Option<bool>("--trace") { Description = "A line for each flip, before it, and what came of it." };
        var command = new Command("flips",
            "Flips one bit anywhere in a region, in use or before an attach, and uses the store: no wrong page, no crash.")
        {
            rounds, seed, trace,
        };
        command.SetAction((parse, stop) =>
        {
            if (parse.GetValue(rounds) < 1)
                return Task.FromResult(Usage.Refuse(Console.Error, "scripts/soak flips", "--rounds must be 1 or more"));
            var flips = new FlipsSoak(parse.GetValue(seed), parse.GetValue(trace), Console.Out);
            var failure = flips.Run(parse.GetValue(rounds), stop);
            Console.WriteLine(failure is null ? $"soak: PASS {flips.Summary()}" : $"soak: FAIL {failure}");
            return Task.FromResult(failure is null ? 0 : 1);
        });
        return command;
    }
}
