using System.Diagnostics;
using Xunit;

namespace Tmem.System.Tests.Support;

/// <summary>A process of Programs/swapper.c in a memory cgroup.</summary>
internal sealed class Swapper : IDisposable
{
    private static readonly Lazy<string> Program = new(Compile);

    private readonly Process _process;

    private Swapper(MemoryGroup group, string[] words)
    {
        var info = new ProcessStartInfo("sh") { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var word in (string[])["-c", "echo $$ > \"$0\" && exec \"$@\"", Path.Combine(group.Folder, "cgroup.procs"),
            Program.Value, .. words]) info.ArgumentList.Add(word);
        _process = Process.Start(info)!;
    }

    public bool IsAlive => !_process.HasExited;

    /// <summary>Starts one that holds so many MiB; returns once it has filled them.</summary>
    public static Swapper Hold(MemoryGroup group, int mebibytes, bool random, int seconds, bool shared = false)
    {
        return Filled(new Swapper(group,
            ["hold", $"{mebibytes}", random ? "random" : "text", shared ? "shared" : "private"]), seconds);
    }

    /// <summary>Starts one that holds so many MiB; returns once it has written to so many pages at random.</summary>
    public static Swapper Rewrite(MemoryGroup group, int mebibytes, int writes, int seconds) =>
        Filled(new Swapper(group, ["rewrite", $"{mebibytes}", $"{writes}"]), seconds);

    private static Swapper Filled(Swapper swapper, int seconds)
    {
        try
        {
            Assert.Equal("filled", Bounded.Run(() => swapper._process.StandardOutput.ReadLine(), seconds));
            return swapper;
        }
        catch
        {
            swapper.Dispose();
            throw;
        }
    }

    /// <summary>Runs one that visits its objects; returns its exit code, 137 if it was killed.</summary>
    public static int Walk(MemoryGroup group, int mebibytes, int passes, int lookups, int seconds)
    {
        using var swapper = new Swapper(group, ["walk", $"{mebibytes}", $"{passes}", $"{lookups}"]);
        Assert.True(swapper._process.WaitForExit(seconds * 1000), $"no end within {seconds} s");
        return swapper._process.ExitCode;
    }

    /// <summary>Makes it check its pages; fails if one is wrong.</summary>
    public void Verify(int seconds)
    {
        _process.StandardInput.Close();
        Assert.Equal("right", Bounded.Run(() => _process.StandardOutput.ReadLine(), seconds));
        Assert.True(_process.WaitForExit(10_000));
    }

    public void Dispose()
    {
        if (IsAlive) _process.Kill();
        _process.WaitForExit(10_000);
        _process.Dispose();
    }

    private static string Compile()
    {
        Requires.Programs("gcc");
        var program = Path.Combine(Built.Folder, "swapper");
        Command.Run("gcc", "-O2", "-o", program, Path.Combine(Built.Repository, "tests/Tmem.System.Tests/Programs/swapper.c"))
            .Succeeds();
        return program;
    }
}
