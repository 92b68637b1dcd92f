using Tmem.Engine.Tests.Embedding;
using Tmem.Manuals.Tests.Programs;

namespace Tmem.Manuals.Tests.Completions;

public sealed class CompletionTests
{
    public static TheoryData<string, string> All => [.. Scripts.Shells.SelectMany(shell =>
        Scripts.Programs.Select(program => (shell, program.Path)))];

    [Theory]
    [MemberData(nameof(All))]
    public void A_script_completes_what_the_program_takes(string shell, string program)
    {
        var file = Scripts.File(shell, program);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        Approved.Check(file, Scripts.Make(shell, Program(program)));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Every_command_option_and_word_is_in_it(string shell, string program)
    {
        var text = File.ReadAllText(Scripts.File(shell, program));
        foreach (var command in Program(program).All)
        {
            Assert.Matches($@"(?<![\w-]){command.Name}(?![\w-])", text);
            foreach (var option in command.Options)
                foreach (var word in option.Words.Prepend(shell == "fish" ? "-l " + option.Name[2..] : option.Name))
                    Assert.Matches($@"(?<![\w-]){word}(?![\w-])", text);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_shell_can_read_its_script(string shell, string program)
    {
        Assert.SkipUnless(Installed.Has(shell), Installed.Missing(shell));
        _ = Repository.Run("/", shell, "-n", Scripts.File(shell, program));
    }

    /// <summary>Words are told by the tests of what is typed; that there are some, here.</summary>
    [Fact]
    public void The_words_of_options_are_found()
    {
        Assert.Equal(["debug", "info", "warning", "error"], Option("tmemd", "--log").Words);
        Assert.Equal(["lz4", "lz4-reference", "zstd", "pool"], Option("tmemctl upgrade", "--codec").Words);
        Assert.Contains("noexec", Option("tmemd", "--mount-options").Words);
        Assert.Equal(ValueKind.File, Option("tmemd", "--region").Kind);
        Assert.Equal(ValueKind.Folder, Option("tmemd", "--mount").Kind);
        Assert.Equal(ValueKind.Free, Option("tmemctl", "--timeout").Kind);

        static DescribedValue Option(string path, string name) => Scripts.Programs.SelectMany(program => program.All)
            .Single(command => command.Path == path).Options.Single(option => option.Name == name);
    }

    [Theory]
    [InlineData("tmemctl po", "pool")]
    [InlineData("tmemctl --json pool cr", "create")]
    [InlineData("tmemctl --socket pool sw", "swap")]
    [InlineData("tmemctl swap on --pri", "--priority")]
    [InlineData("tmemctl swap off --pri", "")]
    [InlineData("tmemctl pool list --soc", "--socket")]
    [InlineData("tmemctl --vers", "--version")]
    [InlineData("tmemctl status --vers", "")]
    [InlineData("tmemctl pool reserve sc", "scratch")]
    [InlineData("tmemctl pool reserve scratch s", "")]
    [InlineData("tmemctl upgrade --log w", "warning")]
    [InlineData("tmemctl upgrade --log = w", "warning")]
    [InlineData("tmemctl upgrade --log =", "debug error info warning")]
    [InlineData("tmemctl upgrade --log=w", "--log=warning")]
    [InlineData("tmemctl pool create x --codec=z", "--codec=zstd")]
    [InlineData("tmemctl pool create x --codec = z", "zstd")]
    [InlineData("tmemctl --socket=/other pool show ", "from-the-other")]
    [InlineData("tmemctl pool create x --owner roo", "root")]
    [InlineData("tmemctl pool set scratch --group roo", "root")]
    [InlineData("tmemctl help po", "pool")]
    [InlineData("tmemctl help pool des", "destroy")]
    [InlineData("tmemctl help pool destroy s", "")]
    [InlineData("tmemctl pool create s", "")]
    [InlineData("tmemctl pool show s", "scratch swap")]
    [InlineData("tmemctl swap on --pool s", "scratch swap")]
    [InlineData("tmemctl swap off ", @"a\ b swap")]
    [InlineData("tmemctl swap off sw", "swap")]
    [InlineData("tmemctl --socket /other swap off ", "")]
    [InlineData("tmemctl --socket /other pool show ", "from-the-other")]
    [InlineData("tmemctl --mount = /other pool show ", "from-the-other")]
    [InlineData("tmemctl pool show $", @"\$\(touch\ made\)")]
    [InlineData("tmemctl config check /etc/passw", "/etc/passwd")]
    [InlineData("tmemd --cod", "--codec")]
    [InlineData("tmemd --codec z", "zstd")]
    [InlineData("tmemd --codec=z", "--codec=zstd")]
    [InlineData("tmemd --region /etc/passw", "/etc/passwd")]
    [InlineData("tmemd --mount /et", "/etc")]
    public void Bash_completes(string typed, string completed)
    {
        using var place = new PlaceWithPools();
        var words = typed.Split(' ');
        var file = Scripts.File("bash", words[0]);
        var script = $$"""
            PATH={{place.Folder}}:$PATH
            . '{{file}}' || exit 1
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _$1
            for word in "${COMPREPLY[@]}"; do printf '%s\n' "$word"; done
            """;
        var output = Repository.Run(place.Folder, "bash", ["-c", script, "bash", .. words]);
        // Files of the machine that begin with the same letters are as good.
        var found = output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(word => word == "/etc/passwd" || !word.StartsWith("/etc/passwd", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);
        Assert.Equal(completed, string.Join(' ', found));
        Assert.False(File.Exists(Path.Combine(place.Folder, "made")), "a pool's name was carried out");
    }

    [Theory]
    [InlineData("tmemctl po", "pool")]
    [InlineData("tmemctl --socket pool sw", "swap")]
    [InlineData("tmemctl swap on --pri", "--priority")]
    [InlineData("tmemctl upgrade --log w", "warning")]
    [InlineData("tmemctl pool show s", "scratch swap")]
    [InlineData("tmemctl swap off s", "swap")]
    [InlineData("tmemctl help po", "pool")]
    [InlineData("tmemd --codec z", "zstd")]
    public void Fish_completes(string typed, string completed)
    {
        Assert.SkipUnless(Installed.Has("fish"), Installed.Missing("fish"));
        using var place = new PlaceWithPools();
        var output = Repository.Run(place.Folder, "env", $"HOME={place.Folder}", "fish", "-c",
            $"set -x PATH {place.Folder} $PATH; source {Scripts.File("fish", typed.Split(' ')[0])}; complete -C '{typed}'");
        Assert.Equal(completed, string.Join(' ', output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('\t')[0]).Order(StringComparer.Ordinal)));
    }

    private static DescribedCommand Program(string name) => Scripts.Programs.Single(one => one.Path == name);

    /// <summary>A folder with a tmemctl that knows pools, one of them with a name that a shell would carry out.</summary>
    private sealed class PlaceWithPools : IDisposable
    {
        public PlaceWithPools()
        {
            var program = Path.Combine(Folder, "tmemctl");
            File.WriteAllText(program, """
                #!/bin/sh
                case "$*" in
                *'--socket /other swap status') echo 'swap is off: nothing on /other is swapped to' && exit ;;
                *'swap status')
                    echo 'DEVICE         SIZE     USED  PRIORITY  POOL  ORIGINAL  FILE'
                    echo '/dev/loop0  5.8 GiB      0 B       100  swap   4.0 KiB  /mnt/tmem/swap/swapfile'
                    echo '/dev/loop1  1.0 GiB  7.0 MiB        -2  a b       64 B  /mnt/tmem/a b/swapfile'
                    echo '/dev/loop0: the store has room for 5.7 GiB more  if no page shrinks'
                    exit ;;
                esac
                echo 'NAME             KIND'
                case "$*" in
                *'--socket /other '*|*'--socket=/other '*|*'--mount /other '*) echo 'from-the-other   persistent' ;;
                *) printf '%s\n' 'scratch          ephemeral' 'swap             persistent' '$(touch made)    persistent' ;;
                esac
                """);
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        public string Folder { get; } = Directory.CreateTempSubdirectory("tmem-completions-").FullName;

        public void Dispose() => Directory.Delete(Folder, recursive: true);
    }
}
