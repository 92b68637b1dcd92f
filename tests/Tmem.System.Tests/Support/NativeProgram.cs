namespace Tmem.System.Tests.Support;

/// <summary>Small C programs for what a test cannot do in .NET: built once a run, from Programs/.</summary>
internal static class NativeProgram
{
    /// <summary>The built program's path; skips the test without a compiler.</summary>
    public static string Of(string name, string folder)
    {
        Requires.Programs("gcc");
        var program = Path.Combine(folder, name);
        Command.Run("gcc", "-O1", "-Wall", "-Werror", "-pthread", "-o", program,
            Path.Combine(AppContext.BaseDirectory, "Programs", name + ".c")).Succeeds();
        return program;
    }
}
