using Tmem.Engine.Tests.Embedding;

namespace Tmem.Architecture.Tests;

/// <summary>Each program keeps its system calls in one folder.</summary>
public class SystemCallTests
{
    [Theory]
    [InlineData("src/Tmem.Fuse")]
    [InlineData("src/tmemctl")]
    public void All_system_calls_of_a_program_stand_in_one_folder(string program)
    {
        var root = Path.Combine(Repository.Root, program);
        string[] folders = [.. Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal))
            .Where(file => File.ReadAllText(file) is var text && (text.Contains("[LibraryImport(", StringComparison.Ordinal)
                || text.Contains("[DllImport(", StringComparison.Ordinal)))
            .Select(file => Path.GetRelativePath(root, Path.GetDirectoryName(file)!)).Distinct()];
        Assert.Equal(["Native"], folders);
    }
}
