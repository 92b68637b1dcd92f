using System.Text;
using Tmem.Manuals.Tests.Programs;

namespace Tmem.Manuals.Tests.Completions;

/// <summary>For fish: a line for each command, option and argument, each where it belongs.</summary>
internal static class FishScript
{
    public static string Make(DescribedCommand program)
    {
        var name = program.Path;
        var text = new StringBuilder($$"""
            # Completions of {{name}} for fish. {{Scripts.Made}}

            complete -c {{name}} -f

            """);
        if (program.Commands.Count == 0)
        {
            foreach (var option in program.Options) Append(text, $"complete -c {name}", Option(option));
            return text.ToString();
        }
        text.Append($$"""

            # Whether the words so far are this command: options and their values are none of it.
            function __{{name}}_at
                set -l path
                set -l value no
                for word in (commandline -opc)[2..-1]
                    if test $value = yes
                        set value no
                        continue
                    end
                    switch $word
                        case {{Scripts.Lines(Scripts.WithValue(program), " ", " \\\n" + new string(' ', 24))}}
                            set value yes
                        case help
                            set -q path[1]; or set path help
                        case '*'
                            switch (string join ' ' {{name}} $path $word)
                                case {{Alternatives(program)}}
                                    set -a path $word
                            end
                    end
                end
                test "$path" = "$argv"
            end

            function __{{name}}_daemon
                set -l words (commandline -opc)
                for option in --socket --mount
                    set -l at (contains -i -- $option $words); and printf '%s\n' $option $words[(math $at + 1)]
                end
            end

            function __{{name}}_pools
                {{Scripts.Pools(name, $"(__{name}_daemon)")}}
            end

            function __{{name}}_devices
                {{Scripts.Devices(name, $"(__{name}_daemon)")}}
            end


            """);
        foreach (var option in program.Options.Where(option => option.IsForAll))
            Append(text, $"complete -c {name}", Option(option));
        foreach (var command in program.All)
        {
            var words = command == program ? "" : command.Path[(name.Length + 1)..];
            var at = $"complete -c {name} -n {Scripts.Quoted($"__{name}_at {words}".TrimEnd())}";
            foreach (var one in command.Commands)
                Append(text, at, $"-a {one.Name} -d {Scripts.Quoted(Scripts.Brief(one.Description))}");
            foreach (var option in command.Options.Where(option => command != program || !option.IsForAll))
                Append(text, at, Option(option));
            foreach (var argument in command.Arguments.Take(command == program ? 0 : 1))
                if (Values(argument, program) is { Length: > 0 } values) Append(text, at, values);
        }
        return text.ToString();
    }

    private static void Append(StringBuilder text, string begin, string end)
    {
        const int longest = 120;
        text.Append(begin).Append(begin.Length + end.Length > longest ? " \\\n    " : " ").Append(end).Append('\n');
    }

    private static string Alternatives(DescribedCommand program) => Scripts.Lines(program.All.Skip(1)
        .Where(one => one.Name != "help").Select(one => $"'{one.Path}'"), " ", " \\\n" + new string(' ', 24));

    private static string Option(DescribedValue option)
    {
        var names = string.Join(' ', option.Names.Where(name => name != "-?").Select(name =>
            name.StartsWith("--", StringComparison.Ordinal) ? $"-l {name[2..]}" : $"-s {name[1..]}"));
        var values = option.Kind switch
        {
            ValueKind.None => "",
            ValueKind.File or ValueKind.Folder => " -r -F",
            ValueKind.User => " -x -a '(__fish_complete_users)'",
            ValueKind.Group => " -x -a '(__fish_complete_groups)'",
            ValueKind.Word => $" -x -a '{string.Join(' ', option.Words)}'",
            ValueKind.Pool => " -x -a '(__tmemctl_pools)'",
            _ => " -x",
        };
        return $"{names}{values} -d {Scripts.Quoted(Scripts.Brief(option.Description))}";
    }

    private static string Values(DescribedValue argument, DescribedCommand program) => argument.Kind switch
    {
        ValueKind.File or ValueKind.Folder => "-F",
        ValueKind.Pool => $"-a '(__{program.Path}_pools)'",
        ValueKind.Device => $"-a '(__{program.Path}_devices)'",
        ValueKind.Command => $"-a '{string.Join(' ', program.Commands.Select(one => one.Name))}'",
        _ => "",
    };
}
