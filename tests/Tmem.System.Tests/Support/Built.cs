namespace Tmem.System.Tests.Support;

/// <summary>Where the programs under test and the tools beside them lie.</summary>
internal static class Built
{
    /// <summary>The top of the repository: the folder that holds Tmem.sln.</summary>
    public static string Repository { get; } = FindRepository();

    public static bool FolderIsGiven => Environment.GetEnvironmentVariable("TMEM_OUT") is { Length: > 0 };

    public static string Folder =>
        FolderIsGiven ? Path.GetFullPath(Environment.GetEnvironmentVariable("TMEM_OUT")!, Repository) : Path.Combine(Repository, "out");

    public static string Daemon => Path.Combine(Folder, "tmemd");

    public static string Control => Path.Combine(Folder, "tmemctl");

    /// <summary>The benchmark program, built with these tests in the same configuration.</summary>
    public static string Benchmarks
    {
        get
        {
            // bin/<configuration>/<framework>/, ours and theirs alike
            var framework = new DirectoryInfo(AppContext.BaseDirectory);
            var folder = Path.Combine(Repository, "tests/Tmem.Benchmarks/bin", framework.Parent!.Name, framework.Name);
            return Path.Combine(folder, "Tmem.Benchmarks.dll");
        }
    }

    private static string FindRepository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "Tmem.sln"))) return folder;
        throw new InvalidOperationException($"no Tmem.sln above {AppContext.BaseDirectory}");
    }
}
