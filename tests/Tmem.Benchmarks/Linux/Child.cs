using System.Diagnostics;

namespace Tmem.Benchmarks.Linux;

/// <summary>Runs other programs: to the end with their output, or as a child that is killed on dispose.</summary>
internal sealed class Child : IDisposable
{
    private Child(Process process) => Process = process;

    public Process Process { get; }

    /// <summary>
    /// Starts a program with its input and output in our hands; its error output goes where ours goes, or into a file.
    /// </summary>
    public static Child Start(string program, params string[] arguments)
    {
        var info = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var argument in arguments) info.ArgumentList.Add(argument);
        try
        {
            return new Child(Process.Start(info)!);
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw new BenchmarkException($"cannot start {program}: {error.Message}.");
        }
    }

    /// <summary>Runs a program to its end; anything but exit code 0 within the time is an error that quotes its output.</summary>
    public static string Run(string program, params string[] arguments)
    {
        var (code, output) = TryRun(program, arguments);
        return code == 0 ? output
            : throw new BenchmarkException($"{program} {string.Join(' ', arguments)} failed ({code}): {output.Trim()}");
    }

    /// <summary>
    /// Runs a program to its end and returns its exit code (-1 when it took over two minutes) with all it printed.
    /// </summary>
    public static (int Code, string Output) TryRun(string program, params string[] arguments)
    {
        var info = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments) info.ArgumentList.Add(argument);
        try
        {
            using var process = Process.Start(info)!;
            var output = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(120_000))
            {
                process.Kill();
                return (-1, "no end within two minutes; killed");
            }
            process.WaitForExit();
            return (process.ExitCode, output.Result + errors.Result);
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            return (-1, error.Message);
        }
    }

    public void Dispose()
    {
        if (!Process.HasExited)
        {
            _ = Native.kill(Process.Id, Native.SigKill);
            Process.WaitForExit(10_000);
        }
        Process.Dispose();
    }
}
