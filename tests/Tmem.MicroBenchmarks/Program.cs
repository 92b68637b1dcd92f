using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

// The parts of the engine, one by one: scripts/bench micro [FILTER]. Short jobs in this process: enough to see a part become twice as dear, and a
// run of all of them takes minutes. Any managed allocation on what is measured here is a failure: the exit code says so. With --gate, each part
// runs only often enough to see that, and often enough for what the runtime's own threads allocate meanwhile to come to less than a byte a call
// (a second each, no times worth reading): the tests run it so.
var gate = args is ["--gate", ..];
if (gate) args = args[1..];
var job = gate ? Job.Dry.WithWarmupCount(1).WithInvocationCount(16_384).WithUnrollFactor(16) : Job.ShortRun;
var config = ManualConfig.CreateEmpty()
    .AddJob(job.WithToolchain(InProcessEmitToolchain.Instance))
    .AddDiagnoser(MemoryDiagnoser.Default)
    .AddColumnProvider(DefaultColumnProviders.Instance)
    .AddLogger(ConsoleLogger.Default)
    .WithArtifactsPath("out/micro")
    .WithOptions(ConfigOptions.JoinSummary);
string[] filter = args.Length == 0 ? ["--filter", "*"] : ["--filter", .. args.Select(part => $"*{part}*")];
var reports = BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(filter, config).SelectMany(summary => summary.Reports).ToList();
if (reports.Count == 0) return 2;

var allocating = reports.Where(report => !report.Success || report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase) > 0).ToList();
foreach (var report in allocating) Console.WriteLine($"allocates, or failed: {report.BenchmarkCase.DisplayInfo}");
return allocating.Count == 0 ? 0 : 1;
