namespace Tmem.Manuals.Tests;

/// <summary>Programs of the machine.</summary>
internal static class Installed
{
    public static bool Has(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Any(folder => File.Exists(Path.Combine(folder, program)));

    public static string Missing(string program) => $"{program} is not installed";
}
