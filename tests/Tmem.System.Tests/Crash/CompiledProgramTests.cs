using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests.Crash;

/// <summary>
/// The daemon as a program that the runtime compiles as it runs, started by its own name or by dotnet: it takes more memory, and
/// is otherwise the same. Also where there is no native one: scripts/build makes it for two architectures.
/// </summary>
public class CompiledProgramTests
{
    [Theory]
    [InlineData("dotnet")]
    [InlineData("itself")]
    public void It_serves_survives_deaths_and_hands_over_to_its_kind_and_to_a_native_program(string how)
    {
        Requires.Programs("dotnet");
        var file = Built.CompiledDaemon;
        var program = Path.ChangeExtension(file, null);
        using var daemon = Daemon.StartBy($"shift; exec {(how == "dotnet" ? $"dotnet '{file}'" : $"'{program}'")} \"$@\"");
        var text = Path.Combine(daemon.Pool("p"), "f");
        Bounded.Run(() => File.WriteAllText(text, "here"));
        Assert.Equal(how == "dotnet" ? "dotnet" : "tmemd", Path.GetFileName(daemon.Program));
        // The stand-by, and one that is started anew.
        daemon.AwaitAll();
        daemon.KillWorker();
        daemon.KillWorker();
        daemon.Control("upgrade", "--threads", "5").Succeeds();
        Assert.Equal(5, daemon.Figure("threads"));
        daemon.Control("upgrade", "--binary", Built.Daemon).Succeeds();
        daemon.KillWorker();
        Assert.Equal(Built.Daemon, daemon.Program);
        daemon.Control("upgrade", "--binary", program).Succeeds();
        daemon.KillWorker();
        Assert.Equal(program, daemon.Program);
        Assert.Equal("here", Bounded.Run(() => File.ReadAllText(text)));
        // Its parts are no programs.
        var refused = daemon.Control("upgrade", "--binary", file).All;
        Assert.Contains("nobody has the right to execute", refused, StringComparison.Ordinal);
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }
}
