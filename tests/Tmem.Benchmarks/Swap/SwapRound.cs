using System.Text.Json;
using Tmem.Benchmarks.Linux;

namespace Tmem.Benchmarks.Swap;

/// <summary>What one round on one peer measured.</summary>
internal sealed record SwapRound(
    PhaseResult Fill, PhaseResult InOrder, PhaseResult Random, StoreUse AfterFill, double? DaemonCpu, double MachineCpu);

/// <summary>Runs the workload once on one peer, in a group limited to a quarter of the working set.</summary>
internal static class SwapRunner
{
    public static SwapRound Run(ISwapPeer peer, long bytes, string corpus, int seed, int touches, int priority,
        Interrupt interrupt, string? profile)
    {
        using (peer)
        {
            // Twice the working set: room for what the swap map leaves unused; neither store spends memory on it.
            peer.Start(bytes * 2, priority);
            interrupt.Check();
            using var group = MemoryGroup.Create($"tmem-bench-{Environment.ProcessId}", bytes / 4);
            using var child = Child.Start("dotnet", Path.Combine(AppContext.BaseDirectory, "Tmem.Benchmarks.dll"),
                "swap-workload",
                "--bytes", bytes.ToString(), "--corpus", corpus, "--seed", seed.ToString(), "--touches", touches.ToString(),
                "--group", group.Folder, "--pause", "true");
            interrupt.Watch(child.Process.Id);
            using var sampling = Profile.Start(profile, peer.Name);
            var machine = ProcessTimes.MachineCpuSeconds();
            var daemon = peer.DaemonCpuSeconds();
            var fill = Next(child, interrupt, "fill");
            var use = peer.Use();
            child.Process.StandardInput.WriteLine();
            var order = Next(child, interrupt, "order");
            child.Process.StandardInput.WriteLine();
            var random = Next(child, interrupt, "random");
            // Read before the working set is dropped: giving pages back is not what is measured.
            var round = new SwapRound(fill, order, random, use, peer.DaemonCpuSeconds() - daemon,
                ProcessTimes.MachineCpuSeconds() - machine);
            child.Process.StandardInput.WriteLine();
            child.Process.WaitForExit(60_000);
            interrupt.Watch(0);
            return round;
        }
    }

    private static PhaseResult Next(Child child, Interrupt interrupt, string phase)
    {
        var line = child.Process.StandardOutput.ReadLineAsync();
        if (!line.Wait(TimeSpan.FromMinutes(10)))
            throw new BenchmarkException($"the workload was stuck in '{phase}' for ten minutes.");
        if (line.Result is null)
        {
            interrupt.Check();
            child.Process.WaitForExit(10_000);
            throw new BenchmarkException(
                $"the workload ended in '{phase}' (exit code {child.Process.ExitCode}; 137: killed for want of swap).");
        }
        return JsonSerializer.Deserialize(line.Result, PhaseJson.Default.PhaseResult)!;
    }
}
