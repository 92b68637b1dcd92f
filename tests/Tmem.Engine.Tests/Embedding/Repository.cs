using System.Diagnostics;

namespace Tmem.Engine.Tests.Embedding;

/// <summary>The source tree the tests were built from, and programs run in it.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>Runs a program to its end; fails, with all it said, unless it exits with 0.</summary>
    public static string Run(string directory, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        // A build server that outlives the test would keep its files, and the pipe, open.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{output}{errors.Result}");
        return output;
    }

    private static string Find()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Tmem.sln")))
            directory = Path.GetDirectoryName(directory) ?? throw new InvalidOperationException($"no Tmem.sln above {AppContext.BaseDirectory}");
        return directory;
    }
}
