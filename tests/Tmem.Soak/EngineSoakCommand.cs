using System.CommandLine;
using Tmem.Control.CommandLine;

namespace Tmem.Soak;

/// <summary><c>engine</c>: the options of an engine soak, and its end: one line and an exit code.</summary>
internal static class EngineSoakCommand
{
    public static Command Create()
    {
        var minutes = With("--minutes", 60.0, "How long it runs.");
        var threads = With("--threads", Math.Max(2, Environment.ProcessorCount),
            "Threads that work on the store, each with a client of its own.");
        var seed = With("--seed", Environment.TickCount & 0xFFFFFF, "What each thread does; the interleaving is the machine's.");
        var capacity = With("--capacity", 256L << 20, "Capacity of the store in bytes.");
        var region = With<string?>("--region", null,
            "A file to make the region in, deleted after a pass; without it the region is a memfd.");
        var command = new Command("engine",
            "All operations on all kinds of pools against a model, with live verification and re-attaching.")
        {
            minutes, threads, seed, capacity, region,
        };
        command.SetAction((parse, stop) => Task.FromResult(Run(
            parse.GetValue(minutes), parse.GetValue(threads), parse.GetValue(seed), parse.GetValue(capacity),
                parse.GetValue(region), stop)));
        return command;
    }

    private static int Run(double minutes, int threads, int seed, long capacity, string? region, CancellationToken stop)
    {
        var wrong = minutes is not (> 0 and < 1e6) ? "--minutes must be above 0"
            : threads is < 1 or > 64 ? "--threads must be 1 to 64"
            : capacity < EngineSoakOptions.MinimumCapacity
            ? $"--capacity must be {EngineSoakOptions.MinimumCapacity} bytes or more"
            : region is { Length: 0 } ? "--region is empty; name a new file"
            : region is not null && Path.Exists(region) ? $"--region: '{region}' exists; name a new file"
            : null;
        if (wrong is not null) return Usage.Refuse(Console.Error, "scripts/soak engine", wrong);
        using var soak = new EngineSoak(new EngineSoakOptions(TimeSpan.FromMinutes(minutes), threads, seed, capacity, region),
            Console.Out);
        var failure = soak.Run(stop);
        Console.WriteLine(failure is null ? $"soak: PASS {soak.Summary()}"
            : $"soak: FAIL {failure} (seed {seed}; {soak.Summary()})");
        return failure is null ? 0 : 1;
    }

    private static Option<T> With<T>(string name, T fallback, string description) => new(name)
    {
        Description = description,
        DefaultValueFactory = _ => fallback,
    };
}
