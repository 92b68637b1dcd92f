using System.Diagnostics;

namespace Tmem.Engine.Tests.Embedding;

/// <summary>The source tree the tests were built from, and programs run in it.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>Far above what any of them takes: a hanging program fails its own test, and does not end the whole run.</summary>
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(6);

    /// <summary>For the pipes to close after the program has ended.</summary>
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);

    /// <summary>Runs a program to its end; fails, with all its output, unless it exits with 0.</summary>
    public static string Run(string directory, string program, params string[] arguments)
    {
        var (code, output, errors) = End(directory, program, arguments);
        Assert.True(code == 0, $"{program} {string.Join(' ', arguments)} ended with {code}:\n{output}{errors}");
        return output;
    }

    /// <summary>Runs a program to its end: its exit code and its output.</summary>
    public static (int Code, string Output, string Errors) End(string directory, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        // A build server that outlives the test would keep its files, and the pipe, open.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        var ended = process.WaitForExit(s_longest);
        if (!ended) process.Kill(entireProcessTree: true);
        var told = Task.WaitAll([output, errors], s_grace);
        Assert.True(ended && told,
            $"{program} {string.Join(' ', arguments)} was not done after {s_longest}:\n{Said(output)}{Said(errors)}");
        return (process.ExitCode, output.Result, errors.Result);
    }

    private static string Said(Task<string> stream) => stream.IsCompletedSuccessfully ? stream.Result
        : "(somebody keeps the pipe open)";

    private static string Find()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Tmem.sln")))
            directory = Path.GetDirectoryName(directory)
                ?? throw new InvalidOperationException($"no Tmem.sln above {AppContext.BaseDirectory}");
        return directory;
    }
}
