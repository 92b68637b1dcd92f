using System.Runtime.Versioning;
using Xunit.Sdk;
using Xunit.v3;

[assembly: SupportedOSPlatform("linux")]
// Every test mounts, swaps or counts what the machine has of both: one at a time.
[assembly: Parallelization(Mode = ParallelMode.None)]
