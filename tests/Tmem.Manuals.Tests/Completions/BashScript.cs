using System.Text;
using Tmem.Manuals.Tests.Programs;

namespace Tmem.Manuals.Tests.Completions;

/// <summary>For bash; needs nothing of the package bash-completion, which loads it.</summary>
internal static class BashScript
{
    public static string Make(DescribedCommand program)
    {
        var name = program.Path;
        var text = new StringBuilder($$"""
            # Completions of {{name}} for bash. {{Scripts.Made}}

            _{{name}}_words() {
                mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
            }

            _{{name}}_accounts() {
                mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
            }

            _{{name}}_paths() {
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
            }


            """);
        if (program.Commands.Count > 0) text.Append($$"""
            # Names are somebody's: compared as they stand, never expanded.
            _{{name}}_names() {
                local one
                COMPREPLY=()
                while IFS= read -r one; do
                    [[ $one == "${cur//\\/}"* ]] && COMPREPLY+=("$(printf '%q' "$one")")
                done
            }

            _{{name}}_pools() {
                _{{name}}_names < <({{Scripts.Pools(name, "\"${daemon[@]}\"")}})
            }

            _{{name}}_devices() {
                _{{name}}_names < <({{Scripts.Devices(name, "\"${daemon[@]}\"")}})
            }


            """);
        text.Append($$"""
            _{{name}}() {
                local cur=${COMP_WORDS[COMP_CWORD]} joined=''
                # "--log=debug" comes as three words, or as one where COMP_WORDBREAKS has no "=".
                if [[ $cur == --*=* ]]; then
                    joined=${cur%%=*}
                    cur=${cur#*=}
                fi
                [[ $cur == '=' ]] && cur=''
                _{{name}}_find
                [[ -z $joined ]] || COMPREPLY=("${COMPREPLY[@]/#/$joined=}")
            }

            _{{name}}_find() {
                local command={{name}} option='' helps='' count=0 i
                local -a daemon=()
                COMPREPLY=()
                for ((i = 1; i < COMP_CWORD; i++)); do
                    option=''
                    case ${COMP_WORDS[i]} in
                    {{Scripts.Lines(Scripts.WithValue(program), "|", "|\\\n        ")}})
                        option=${COMP_WORDS[i]}
                        [[ ${COMP_WORDS[i + 1]} == '=' ]] && ((i++))
                        ((++i < COMP_CWORD)) || break
                        [[ $option == --socket || $option == --mount ]] && daemon=("$option" "${COMP_WORDS[i]}")
                        option=''
                        ;;
                    --socket=*|--mount=*) daemon=("${COMP_WORDS[i]}") ;;

            """);
        text.Append(program.Commands.Count > 0 ? Walk(program) : "").Append($$"""
                    esac
                done
                option=${joined:-$option}
                case "$command $option" in

            """);
        // Those that go with all commands stand behind any.
        AppendCases(text, "    ", "return", program.All.SelectMany(command => command.Options
            .Where(option => option.Kind != ValueKind.None).Select(option => (
                command == program ? $"*' {option.Name}'" : $"'{command.Path} {option.Name}'", Action(name, option)))));
        // Where there are no commands, nothing else can stand.
        text.Append($"    esac\n    if [[ {(program.Commands.Count > 0 ? "$cur == -* && " : "")}-z $helps ]]; then\n"
            + "        case $command in\n");
        foreach (var options in program.All.GroupBy(command => Names(Scripts.OptionsOf(program, command))))
            text.Append($"        {Alternatives(options.Select(one => one.Path), 8)})\n")
                .Append($"            {Words(name, options.Key)} ;;\n");
        text.Append("        esac\n        return\n    fi\n");
        if (program.Commands.Count > 0)
        {
            text.Append("    case $command in\n");
            foreach (var command in program.All.Where(one => one.Commands.Count > 0))
            {
                var words = Words(name, string.Join(' ', command.Commands.Select(one => one.Name)));
                text.Append($"    '{command.Path}')\n        {words}\n        return\n        ;;\n");
            }
            text.Append("    esac\n    [[ -n $helps ]] && return\n    case \"$command $count\" in\n");
            AppendCases(text, "    ", "", program.All.Where(command => command.Commands.Count == 0).SelectMany(command =>
                command.Arguments.Select((argument, index) =>
                    ($"'{command.Path} '{(argument.IsMany ? "*" : index)}", Action(name, argument)))));
            text.Append("    esac\n");
        }
        return text.Append($"}}\n\ncomplete -F _{name} {name}\n").ToString();
    }

    /// <summary>Finds the command among the words so far.</summary>
    private static string Walk(DescribedCommand program) => $$"""
                    -*) ;;
                    help) [[ $command == {{program.Path}} ]] && helps=yes ;;
                    *)
                        case "$command ${COMP_WORDS[i]}" in
                        {{Alternatives(program.All.Skip(1).Select(one => one.Path), 12)}})
                            command+=" ${COMP_WORDS[i]}" ;;
                        *) ((++count)) ;;
                        esac
                        ;;

            """;

    private static void AppendCases(StringBuilder text, string indent, string end,
        IEnumerable<(string Pattern, string Action)> cases)
    {
        foreach (var group in cases.GroupBy(one => one.Action, one => one.Pattern).Where(one => one.Key.Length + end.Length > 0))
            text.Append($"{indent}{Scripts.Lines(group, "|", "|\\\n" + indent)})\n{indent}    {group.Key}")
                .Append(group.Key.Length > 0 && end.Length > 0 ? $"\n{indent}    " : "").Append(end)
                .Append($"\n{indent}    ;;\n");
    }

    private static string Action(string name, DescribedValue value) => value.Kind switch
    {
        ValueKind.File => $"_{name}_paths -f",
        ValueKind.Folder => $"_{name}_paths -d",
        ValueKind.User => $"_{name}_accounts -u",
        ValueKind.Group => $"_{name}_accounts -g",
        ValueKind.Pool => $"_{name}_pools",
        ValueKind.Device => $"_{name}_devices",
        ValueKind.Word => Words(name, string.Join(' ', value.Words)),
        _ => "",
    };

    private static string Words(string name, string words) =>
        $"_{name}_words '{Scripts.Lines(words.Split(' '), " ", "\n" + new string(' ', 16))}'";

    private static string Alternatives(IEnumerable<string> paths, int indent) =>
        Scripts.Lines(paths.Select(path => $"'{path}'"), "|", "|\\\n" + new string(' ', indent));

    private static string Names(IEnumerable<DescribedValue> options) => string.Join(' ', options.Select(option => option.Name));
}
