using System.CommandLine;
using System.Text.Json;

namespace Tmem.Benchmarks.Swap;

/// <summary>
/// <c>swap-workload</c>: the workload as a program of its own, so that its memory alone is what a group limits.
/// </summary>
internal static class WorkloadCommand
{
    public static Command Create()
    {
        var bytes = Options.Size("--bytes", 1 << 30, "The working set.");
        var corpus = Options.With("--corpus", "out/corpus/pages.bin", "The file of pages it is filled from.");
        var seed = Options.With("--seed", 1, "Decides which page goes where, and which are touched.");
        var touches = Options.With("--touches", 50_000, "How many random touches.");
        var group = Options.With<string?>("--group", null,
            "The memory cgroup's folder to join before the working set is mapped.");
        var fill = Options.With("--fill", false, "Only fill.");
        var all = Options.With("--all", false, "Fill, read in order, touch at random: the default.");
        var pause = Options.With("--pause", false, "After each phase wait for a line on the input.");
        var command = new Command("swap-workload",
            "Fills memory with stamped pages, reads all back, touches some at random. One JSON line a phase; exit code 4 if a "
            + "page came back wrong.")
        { bytes, corpus, seed, touches, group, fill, all, pause };
        command.SetAction(parse =>
        {
            if (parse.GetValue(bytes) < 8 << 20) throw new UsageException("--bytes must be 8M or more.");
            if (parse.GetValue(touches) < 100) throw new UsageException("--touches must be 100 or more.");
            if (parse.GetValue(fill) && parse.GetValue(all)) throw new UsageException("--fill and --all exclude each other.");
            using var pages = PageFile.Load(parse.GetValue(corpus)!);
            long wrong = 0;
            new Workload(pages, parse.GetValue(seed), parse.GetValue(touches)).Run(
                parse.GetValue(bytes), parse.GetValue(group), parse.GetValue(fill), result =>
                {
                    wrong += result.WrongPages;
                    Console.WriteLine(JsonSerializer.Serialize(result, PhaseJson.Default.PhaseResult));
                    if (parse.GetValue(pause)) Console.ReadLine();
                });
            return wrong == 0 ? 0 : 4;
        });
        return command;
    }
}
