using System.CommandLine;

namespace Tmem.Benchmarks.Swap;

/// <summary><c>swap</c>: the same swap workload on zram and on tmem in turn, medians and ratios.</summary>
internal static class SwapBenchCommand
{
    public static Command Create()
    {
        var rounds = Options.Number("--rounds", 3, 1, "Rounds on each peer; the peers take turns.");
        var bytes = Options.Size("--bytes", 1 << 30, "The working set; a quarter of it may stay in memory.");
        var corpus = Options.With("--corpus", "out/corpus/pages.bin", "The file of pages, see scripts/corpus.");
        var seed = Options.With("--seed", 1, "Decides which page goes where.");
        var touches = Options.With("--touches", 50_000, "Random touches a round.");
        var peers = Options.With("--peers", "zram,tmem",
            "Which, and in what order: zram, tmem, tmpfs (a plain file behind a loop device).");
        var binaries = Options.With("--binaries", "out", "The folder of tmemd and tmemctl.");
        var daemon = Options.With("--daemon", "", "More arguments for tmemd, separated by blanks.");
        var priority = Options.With("--priority", 32000, "Priority of the swap device; higher than any other's.");
        var profile = Options.With<string?>("--profile", null, "A folder for a profile of each peer's last round; needs perf.");
        var command = new Command("swap", "Compares swap devices under a verified workload in a memory cgroup.")
        { rounds, bytes, corpus, seed, touches, peers, binaries, daemon, priority, profile };
        command.SetAction(parse =>
        {
            if (parse.GetValue(bytes) > 1L << 40) throw new UsageException("--bytes must be 1T or less.");
            if (Environment.UserName != "root")
                throw new BenchmarkException("swap devices and cgroups need root; run with sudo.");
            if (parse.GetValue(bytes) < 32 << 20) throw new UsageException("--bytes must be 32M or more.");
            var names = parse.GetValue(peers)!.Split(',', StringSplitOptions.RemoveEmptyEntries);
            var arguments = parse.GetValue(daemon)!.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var runs = names.ToDictionary(n => n, _ => new List<SwapRound>());
            if (names.Length == 0) throw new UsageException("--peers names nobody; there are zram, tmem and tmpfs");
            foreach (var name in names) Peer(name, "", []).Dispose(); // an unknown one is told before the first has run
            using var interrupt = new Interrupt();
            MachineFacts.Print(parse.GetValue(corpus)!);
            foreach (var other in SwapDevice.All())
                Console.WriteLine($"note: {other} is swapped to as well; its priority must be below {parse.GetValue(priority)}");
            for (var round = 1; round <= parse.GetValue(rounds); round++)
                foreach (var name in names)
                {
                    var result = SwapRunner.Run(Peer(name, parse.GetValue(binaries)!, arguments), parse.GetValue(bytes),
                        parse.GetValue(corpus)!, parse.GetValue(seed) + round, parse.GetValue(touches), parse.GetValue(priority),
                            interrupt,
                        round == parse.GetValue(rounds) ? parse.GetValue(profile) : null);
                    runs[name].Add(result);
                    Console.WriteLine(
                        $"round {round} {name}: fill {result.Fill.Seconds:F2} s, in order {result.InOrder.Seconds:F2} s, "
                        + $"random {result.Random.MeanMicroseconds:F1} us");
                }
            Console.WriteLine();
            return SwapTable.Print(runs, parse.GetValue(bytes)) == 0 ? 0 : 4;
        });
        return command;
    }

    private static ISwapPeer Peer(string name, string binaries, string[] arguments) => name switch
    {
        "zram" => new ZramPeer(),
        "tmem" => new TmemPeer(binaries, arguments),
        "tmpfs" => new TmpfsPeer(),
        _ => throw new UsageException($"--peers: no peer '{name}'; there are zram, tmem and tmpfs"),
    };
}
