using System.Text;
using Tmem.System.Tests.Support;
using Xunit;

namespace Tmem.System.Tests;

/// <summary>What people do in a directory: clone, build, run.</summary>
public class WorkInMountTests
{
    [Fact]
    public void A_git_clone_into_the_mount_is_whole()
    {
        Requires.Programs("git");
        using var daemon = Daemon.Start();
        var origin = Path.Combine(daemon.Folder, "origin");
        Directory.CreateDirectory(origin);
        Git(origin, "init", "-q", "-b", "main");
        var random = new Random(3);
        for (var commit = 0; commit < 5; commit++)
        {
            for (var number = 0; number < 60; number++)
            {
                var file = Path.Combine(origin, $"folder{number % 7}/sub{number % 3}/file{commit}-{number}.txt");
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                var lines = Enumerable.Range(0, random.Next(300)).Select(l => $"line {l} of {number}: {random.Next()}");
                File.WriteAllText(file, string.Join('\n', lines));
            }
            Git(origin, "add", "-A");
            Git(origin, "commit", "-q", "-m", $"commit {commit}");
        }
        File.CreateSymbolicLink(Path.Combine(origin, "link"), "folder1/sub1");
        Git(origin, "add", "-A");
        Git(origin, "commit", "-q", "-m", "a link");

        var clone = Path.Combine(daemon.Pool("p"), "clone");
        Git(daemon.Folder, "clone", "-q", $"file://{origin}", clone);
        Git(clone, "fsck", "--full", "--strict");
        Assert.Equal("", Git(clone, "status", "--porcelain"));
        Assert.Equal(Git(origin, "rev-parse", "HEAD"), Git(clone, "rev-parse", "HEAD"));
        Command.Run("diff", "--recursive", "--exclude=.git", "--no-dereference", origin, clone).Succeeds();
        Git(clone, "gc", "-q", "--aggressive", "--prune=now");
        Git(clone, "fsck", "--full");
        Command.Run("rm", "-r", "-f", clone).Succeeds();
        daemon.Control("check").Succeeds();
        daemon.Stop();
    }

    [Fact]
    public void A_program_built_in_the_mount_runs_there()
    {
        Requires.Programs("gcc", "make");
        using var daemon = Daemon.Start();
        var folder = Path.Combine(daemon.Pool("p"), "build");
        Bounded.Run(() => WriteProgram(folder, 12));
        Command.RunIn(folder, 120, "make", ["-j2", "-s"]).Succeeds();
        Assert.Equal("66\n", Command.RunIn(folder, 20, Path.Combine(folder, "program"), []).Succeeds().Output);
        // Nothing has changed, so nothing is to do: file times are kept well enough for make.
        Command.RunIn(folder, 60, "make", ["--question"]).Succeeds();
        Command.RunIn(folder, 60, "make", ["-s", "clean"]).Succeeds();
        Assert.False(Bounded.Run(() => File.Exists(Path.Combine(folder, "program"))));
        daemon.Control("check").Succeeds();
    }

    // Part n of the program adds n; the whole prints the sum.
    private static void WriteProgram(string folder, int parts)
    {
        Directory.CreateDirectory(folder);
        var numbers = Enumerable.Range(0, parts).ToArray();
        foreach (var n in numbers)
            File.WriteAllText(Path.Combine(folder, $"part{n}.c"), $"#include \"parts.h\"\nint part{n}(void) {{ return {n}; }}\n");
        File.WriteAllText(Path.Combine(folder, "parts.h"), string.Concat(numbers.Select(n => $"int part{n}(void);\n")));
        var main = new StringBuilder("#include <stdio.h>\n#include \"parts.h\"\nint main(void) { printf(\"%d\\n\", ");
        main.AppendJoin(" + ", numbers.Select(n => $"part{n}()")).Append("); return 0; }\n");
        File.WriteAllText(Path.Combine(folder, "main.c"), main.ToString());
        var objects = string.Join(' ', numbers.Select(n => $"part{n}.o").Append("main.o"));
        File.WriteAllText(Path.Combine(folder, "Makefile"),
            $"CFLAGS = -O2 -g -Wall\nprogram: {objects}\n\t$(CC) -o $@ $^\n{objects}: parts.h\nclean:\n\trm -f program "
            + "*.o\n.PHONY: clean\n");
    }

    private static string Git(string folder, params string[] arguments) => Command.RunIn(folder, 120, "git",
        ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "protocol.file.allow=always", .. arguments])
            .Succeeds().Output;
}
