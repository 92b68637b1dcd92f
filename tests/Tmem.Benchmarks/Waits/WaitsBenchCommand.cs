using System.CommandLine;
using Tmem.Benchmarks.Swap;

namespace Tmem.Benchmarks.Waits;

/// <summary>What a run of the bench is made of.</summary>
internal sealed record WaitsOptions(string Binaries, string RegionFolder, long FileBytes, int Names, long SyncBytes, int Callers,
    int Seconds, int Rounds, double Target, bool RealTime);

/// <summary>
/// <c>waits</c>: the longest wait of a client of the swap file while somebody else does his worst, and while the daemon is
/// managed.
/// </summary>
internal static class WaitsBenchCommand
{
    public static Command Create()
    {
        var names = string.Join(',', WaitsBench.Rows.Select(row => row.Name));
        var small = Options.With("--small", false,
            "Sizes a sixteenth of the usual ones: a minute, to try a change out; the figures that count need the whole.");
        var file = new Option<long?>("--file")
        {
            Description = "Size of the other user's dense file. Default 4G.", CustomParser = Options.ParseSize("--file"),
        };
        var many = new Option<int?>("--names") { Description = "Files of the large directory. Default 1000000." };
        var sync = new Option<long?>("--sync")
        {
            Description = "Bytes made durable in the row sync. Default 1G.", CustomParser = Options.ParseSize("--sync"),
        };
        var callers = Options.With("--callers", 8, "Threads of the other user.");
        var seconds = Options.Number("--seconds", 5, 1, "How long a row without an end of its own is measured.");
        var rounds = Options.Number("--rounds", 3, 1, "How often a row that is over soon is measured; the worst counts.");
        var target = Options.With("--target", 50.0, "Most milliseconds that the client may wait.");
        var realTime = Options.With("--realtime", false,
            "Daemon and client in the kernel's real-time class: on a machine where others work, a wait is then tmem's and not "
            + "theirs.");
        var only = Options.With("--only", names, "Which rows, separated by commas.");
        var binaries = Options.With("--binaries", "out", "The folder of tmemd and tmemctl.");
        var region = Options.With("--region-folder", "/var/tmp", "A folder on a disk, for the region's file of the row sync.");
        var command = new Command("waits",
            "Measures the longest wait of a client of the swap file beside other work; a row each, with target and verdict.")
        { small, file, many, sync, callers, seconds, rounds, target, realTime, only, binaries, region };
        command.SetAction(parse =>
        {
            var wanted = parse.GetValue(only)!.Split(',', StringSplitOptions.RemoveEmptyEntries);
            if (wanted.FirstOrDefault(name => WaitsBench.Rows.All(row => row.Name != name)) is { } unknown)
                throw new UsageException($"--only: no row '{unknown}'; there are {names}.");
            var part = parse.GetValue(small) ? 16 : 1;
            var options = new WaitsOptions(parse.GetValue(binaries)!, parse.GetValue(region)!,
                parse.GetValue(file) ?? (4L << 30) / part,
                parse.GetValue(many) ?? 1_000_000 / part, parse.GetValue(sync) ?? (1L << 30) / part, parse.GetValue(callers),
                parse.GetValue(seconds), parse.GetValue(rounds), parse.GetValue(target), parse.GetValue(realTime));
            if (options.Callers is < 1 or > 256) throw new UsageException("--callers must be 1 to 256.");
            if (options.Names < 1000) throw new UsageException("--names must be 1000 or more.");
            if (Math.Min(options.FileBytes, options.SyncBytes) < 16 << 20)
                throw new UsageException("--file and --sync must be 16M or more.");
            if (Environment.UserName != "root")
                throw new BenchmarkException("scripts/bench waits: mounts and other users need root; run it with sudo.");
            if (!(options.Target > 0)) throw new UsageException("--target must be above 0.");
            MachineFacts.PrintMachine();
            using var interrupt = new Interrupt();
            using var bench = new WaitsBench(options, interrupt);
            return bench.Run(wanted);
        });
        return command;
    }
}
