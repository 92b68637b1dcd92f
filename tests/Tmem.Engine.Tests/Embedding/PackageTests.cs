using System.IO.Compression;

namespace Tmem.Engine.Tests.Embedding;

/// <summary>
/// The package that <c>dotnet pack</c> makes is complete, and a program outside the repository builds and runs with it.
/// </summary>
public sealed class PackageTests : IDisposable
{
    private const string Project = """
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFrameworks>FRAMEWORKS</TargetFrameworks>
            <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
            <UseAppHost>false</UseAppHost>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="Tmem.Engine" Version="VERSION" />
          </ItemGroup>
        </Project>
        """;

    private const string Program = """
        using Tmem.Engine;
        // Without this line the compiler says that the engine is for Linux, and this project turns warnings into errors.
        if (!System.OperatingSystem.IsLinux()) return;
        using var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = EngineOptions.MinimumCapacity });
        var client = engine.Client(new TmemClientId(1));
        client.NewPool(new PoolOptions(PoolFlags.Persistent), out var pool);
        var page = new byte[TmemClient.PageSize];
        page[99] = 7;
        client.Put(pool, new ObjectId(42), 7, page);
        page[99] = 0;
        System.Console.WriteLine($"{client.Get(pool, new ObjectId(42), 7, page)} {page[99]} {engine.Verify().Clean}");
        """;

    /// <summary>Of this run alone: the user's package cache may hold another of the same version.</summary>
    private readonly string _version = $"0.0.0-test{Guid.NewGuid():N}";

    private static readonly string[] s_frameworks = ["net8.0", "net10.0"];

    private readonly string _directory = Directory.CreateTempSubdirectory("tmem-package-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void The_embedders_package_is_whole_and_works()
    {
        var feed = Path.Combine(_directory, "feed");
        // With artifacts of its own: concurrent builds stay as they are. The audit would need the network.
        Repository.Run(Repository.Root, "dotnet", "pack", "src/Tmem.Engine", "-c", "Release", "-o", feed, "--nologo",
            "--artifacts-path", Path.Combine(_directory, "artifacts"), "-p:NuGetAudit=false", $"-p:Version={_version}");

        var package = Assert.Single(Directory.GetFiles(feed, "*.nupkg"));
        Assert.Equal($"Tmem.Engine.{_version}.nupkg", Path.GetFileName(package));
        var entries = Entries(package);
        Assert.Contains("README.md", entries);
        Assert.Contains("LICENSE", entries);
        var symbols = Entries(Assert.Single(Directory.GetFiles(feed, "*.snupkg")));
        foreach (var framework in s_frameworks)
        {
            Assert.Contains($"lib/{framework}/Tmem.Engine.dll", entries);
            Assert.Contains($"lib/{framework}/Tmem.Engine.xml", entries);
            Assert.Contains($"lib/{framework}/Tmem.Engine.pdb", symbols);
        }
        var about = About(package);
        Assert.Contains("<license type=\"expression\">MIT</license>", about, StringComparison.Ordinal);
        Assert.Contains("<readme>README.md</readme>", about, StringComparison.Ordinal);
        Assert.DoesNotContain("url=", about, StringComparison.OrdinalIgnoreCase);

        var consumer = Directory.CreateDirectory(Path.Combine(_directory, "consumer")).FullName;
        File.WriteAllText(Path.Combine(consumer, "Consumer.csproj"),
            Project.Replace("FRAMEWORKS", string.Join(';', s_frameworks), StringComparison.Ordinal)
                .Replace("VERSION", _version, StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(consumer, "Program.cs"), Program);
        // Only this package is new; its dependencies are where the build of the engine has left them, so that no network is
        // needed.
        Repository.Run(consumer, "dotnet", "build", "--nologo", $"-p:RestoreSources={feed}",
            $"-p:RestorePackagesPath={Path.Combine(_directory, "packages")}", $"-p:RestoreFallbackFolders={Packages()}");
        // A program for an older framework may run on a newer runtime: it still uses the assembly for the older one.
        foreach (var framework in s_frameworks)
            Assert.Equal("Ok 7 True\n", Repository.Run(consumer, "dotnet", "--roll-forward", "Major",
                Path.Combine("bin", "Debug", framework, "Consumer.dll")));
    }

    private static string Packages() => Environment.GetEnvironmentVariable("NUGET_PACKAGES")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    private static List<string> Entries(string package)
    {
        using var archive = ZipFile.OpenRead(package);
        return [.. archive.Entries.Select(entry => entry.FullName)];
    }

    private static string About(string package)
    {
        using var archive = ZipFile.OpenRead(package);
        using var reader = new StreamReader(
            archive.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open());
        return reader.ReadToEnd();
    }
}
