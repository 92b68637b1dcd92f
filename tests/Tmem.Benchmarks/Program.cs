using System.CommandLine;
using Tmem.Benchmarks;
using Tmem.Benchmarks.Codec;
using Tmem.Benchmarks.Corpus;
using Tmem.Benchmarks.Engine;
using Tmem.Benchmarks.Swap;
using Tmem.Benchmarks.Waits;
using Tmem.Control.CommandLine;

// The measuring tools of the project: what makes the data, what loads the machine, what prints the tables. scripts/bench and
// scripts/corpus are the way in for people; docs/benchmarking.md says how to read what they print.
var root = new RootCommand("Measures tmem. Started by scripts/bench and scripts/corpus.")
{
    CorpusCommand.Create(),
    CorpusSubject.Create(),
    WorkloadCommand.Create(),
    SwapBenchCommand.Create(),
    CodecBenchCommand.Create(),
    EngineBenchCommand.Create(),
    DensityBenchCommand.Create(),
    WaitsBenchCommand.Create(),
    WaitsClient.Create(),
    WaitsLoad.Create(),
};
try
{
    return Usage.Run(root, "scripts/bench", args, new InvocationConfiguration());
}
catch (UsageException error)
{
    return Usage.Refuse(Console.Error, $"scripts/bench {args[0]}", error.Message.TrimEnd('.'));
}
catch (BenchmarkException error)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}
