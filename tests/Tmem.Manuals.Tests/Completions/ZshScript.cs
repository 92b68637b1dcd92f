using System.Text;
using Tmem.Manuals.Tests.Programs;

namespace Tmem.Manuals.Tests.Completions;

/// <summary>For zsh: a function for each command, with _arguments.</summary>
internal static class ZshScript
{
    public static string Make(DescribedCommand program)
    {
        var name = program.Path;
        var text = new StringBuilder($$"""
            #compdef {{name}}
            # Completions of {{name}} for zsh. {{Scripts.Made}}

            _{{name}}_daemon() {
                local option at
                for option in --socket --mount; do
                    at=${words[(I)$option]}
                    ((at)) && daemon=($option "${words[at + 1]}")
                done
            }

            _{{name}}_pools() {
                local -a daemon
                _{{name}}_daemon
                compadd -- "${(@f)$({{Scripts.Pools(name, "\"${daemon[@]}\"")}})}"
            }

            _{{name}}_devices() {
                local -a daemon
                _{{name}}_daemon
                compadd -- "${(@f)$({{Scripts.Devices(name, "\"${daemon[@]}\"")}})}"
            }

            """);
        foreach (var command in program.All.Reverse()) Append(text, program, command);
        return text.Append($"\n_{name} \"$@\"\n").ToString();
    }

    private static void Append(StringBuilder text, DescribedCommand program, DescribedCommand command)
    {
        var function = Function(command);
        text.Append($"\n{function}() {{\n");
        if (command.Commands.Count == 0)
        {
            text.Append("    _arguments");
            foreach (var option in Scripts.OptionsOf(program, command))
                text.Append(" \\\n        ").Append(Spec(option, program));
            foreach (var (index, argument) in command.Arguments.Index())
                text.Append(" \\\n        ").Append(Scripts.Quoted((argument.IsMany ? "*" : $"{index + 1}") + $":{argument.Name}:"
                    + Action(argument, program)));
            text.Append("\n}\n");
            return;
        }
        text.Append("    local curcontext=$curcontext state line\n    typeset -A opt_args\n    _arguments -C");
        foreach (var option in Scripts.OptionsOf(program, command)) text.Append(" \\\n        ").Append(Spec(option, program));
        text.Append(" \\\n        '1:command:->command' \\\n        '*::rest:->rest'\n    case $state in\n    command)\n"
            + "        local -a commands=(\n");
        foreach (var one in command.Commands)
            text.Append($"            {Scripts.Quoted($"{one.Name}:{Scripts.Brief(one.Description)}")}\n");
        text.Append("        )\n        _describe command commands\n        ;;\n    rest)\n        case $words[1] in\n");
        foreach (var one in command.Commands) text.Append($"        {one.Name}) {Function(one)} ;;\n");
        text.Append("        esac\n        ;;\n    esac\n}\n");
    }

    private static string Function(DescribedCommand command) => "_" + command.Path.Replace(' ', '_');

    private static string Spec(DescribedValue option, DescribedCommand program)
    {
        var description = Scripts.Brief(option.Description).Replace("[", @"\[", StringComparison.Ordinal)
            .Replace("]", @"\]", StringComparison.Ordinal);
        return Scripts.Quoted(option.Kind == ValueKind.None ? $"{option.Name}[{description}]"
            : $"{option.Name}=[{description}]:{option.Value}:{Action(option, program)}");
    }

    private static string Action(DescribedValue value, DescribedCommand program) => value.Kind switch
    {
        ValueKind.File => "_files",
        ValueKind.Folder => "_files -/",
        ValueKind.User => "_users",
        ValueKind.Group => "_groups",
        ValueKind.Pool => $"_{program.Path}_pools",
        ValueKind.Device => $"_{program.Path}_devices",
        ValueKind.Word => List(value.Words),
        ValueKind.Command => List(program.Commands.Select(one => one.Name)),
        _ => "",
    };

    private static string List(IEnumerable<string> words) => $"({Scripts.Lines(words, " ", "\n            ")})";
}
