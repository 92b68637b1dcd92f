using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

// The parts of the engine, one by one: scripts/bench micro [FILTER]. Short jobs in this process: enough to see a part become
// twice as dear, and a run of all of them takes minutes. Any managed allocation on what is measured here is a failure: the exit
// code says so. With --gate, each part runs only often enough to see that, and often enough for what the runtime's own threads
// allocate meanwhile to come to less than a byte a call (a second each, no times worth reading), and a part that seems to
// allocate runs again: the tests run it so.
const int MostRepeats = 2;
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
string[] filter = args.Length == 0 ? ["*"] : [.. args.Select(part => $"*{part}*")];
var allocating = Run(filter, out var count);
if (count == 0) return 2;
// The diagnoser counts the whole process. What a call allocates it allocates each time; what the runtime did beside it once is
// not there again.
for (var again = 0; gate && again < MostRepeats && allocating.Count > 0; again++)
    allocating = Run([.. allocating.Select(report => report.BenchmarkCase.Descriptor.GetFilterName()).Distinct()], out _);
foreach (var report in allocating) Console.WriteLine($"allocates, or failed: {report.BenchmarkCase.DisplayInfo}");
return allocating.Count == 0 ? 0 : 1;

List<BenchmarkReport> Run(string[] filter, out int count)
{
    var reports = BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(["--filter", .. filter], config)
        .SelectMany(summary => summary.Reports).ToList();
    count = reports.Count;
    return [.. reports.Where(report => !report.Success
        || report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase) > 0)];
}
