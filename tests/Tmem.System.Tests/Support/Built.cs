namespace Tmem.System.Tests.Support;

/// <summary>Where the programs under test and their tools lie.</summary>
internal static class Built
{
    /// <summary>The top of the repository: the folder that holds Tmem.sln.</summary>
    public static string Repository { get; } = FindRepository();

    public static bool FolderIsGiven => Environment.GetEnvironmentVariable("TMEM_OUT") is { Length: > 0 };

    public static string Folder =>
        FolderIsGiven ? Path.GetFullPath(Environment.GetEnvironmentVariable("TMEM_OUT")!, Repository)
            : Path.Combine(Repository, "out");

    public static string Daemon => Path.Combine(Folder, "tmemd");

    public static string Control => Path.Combine(Folder, "tmemctl");

    /// <summary>The benchmark program, built with these tests in the same configuration.</summary>
    public static string Benchmarks => Path.Combine(Beside("tests/Tmem.Benchmarks"), "Tmem.Benchmarks.dll");

    /// <summary>
    /// The daemon as developers run it: a program that the runtime compiles as it runs; without ".dll" its own launcher.
    /// </summary>
    public static string CompiledDaemon => Path.Combine(Beside("src/Tmem.Fuse"), "tmemd.dll");

    private static string Beside(string project)
    {
        // bin/<configuration>/<framework>/, ours and theirs alike
        var framework = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(Repository, project, "bin", framework.Parent!.Name, framework.Name);
    }

    private static string FindRepository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "Tmem.sln"))) return folder;
        throw new InvalidOperationException($"no Tmem.sln above {AppContext.BaseDirectory}");
    }
}
