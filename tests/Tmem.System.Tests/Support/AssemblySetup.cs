using System.Runtime.Versioning;
using Xunit.Sdk;
using Xunit.v3;

[assembly: SupportedOSPlatform("linux")]
// Every test mounts, swaps or counts the machine's mounts and swap devices: one at a time.
[assembly: Parallelization(Mode = ParallelMode.None)]
