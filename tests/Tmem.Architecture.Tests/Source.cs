namespace Tmem.Architecture.Tests;

/// <summary>The source tree that the tests were built from.</summary>
internal static class Source
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Tmem.sln")))
            directory = Path.GetDirectoryName(directory)
                ?? throw new InvalidOperationException($"no Tmem.sln above {AppContext.BaseDirectory}");
        return directory;
    }
}
