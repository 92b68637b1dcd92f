using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics.CodeAnalysis;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Reload;
using Tmem.Settings;
using Tmem.Settings.Files;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl config ...</c>: the files of settings, looked at.</summary>
internal static class ConfigVerbs
{
    private const int LongestPath = 4095;
    private const string Usual = "Default: what the daemon on --socket was started with, and the system's without one.";

    /// <summary>The option that names other files than the system's.</summary>
    public static Option<string?> Config(string usual)
    {
        var config = new Option<string?>("--config")
        {
            Description = "File of settings, or directory of tmem.toml and tmem.d, to read instead of the system's. " + usual,
            HelpName = "PATH",
        };
        config.AcceptPaths(LongestPath, optional: true);
        return config;
    }

    public static Verb Show()
    {
        var config = Config(Usual);
        return new("show",
            "Shows every setting that holds and where it comes from: a file and line, an option of the daemon, or the default. "
            + "What it prints is a file of settings itself.",
            (context, parse) => Show(context, parse.GetValue(config)), config);
    }

    public static Verb Check()
    {
        var files = new Argument<string[]>("FILE")
        {
            Description = "Files to check by themselves, as if they were all, the later over the earlier; a directory stands for "
                + "its tmem.toml and tmem.d. Default: as of --config.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var config = Config(Usual);
        config.Validators.Add(result =>
        {
            if (result.Parent is CommandResult command && command.GetResult(files) is { Tokens.Count: > 0 })
                result.AddError("--config and FILE: give one of them");
        });
        return new("check",
            "Checks files of settings with the options of the daemon on --socket, as a reload reads them, and says in a line "
            + "each all that is wrong. Exit code 1 if anything is.",
            (context, parse) => parse.GetValue(files) is { Length: > 0 } given ? Check(context.Terminal, given)
                : Check(context, parse.GetValue(config)), files, config);
    }

    /// <summary>False if there is a daemon that does not tell: what a daemon without options would read is not its.</summary>
    private static bool TryMean(CommandContext context, string? place, [NotNullWhen(true)] out DaemonCommandLine? meant,
        out int exit)
    {
        var reply = context.Client.Status();
        exit = ExitCode.Done;
        meant = reply.NobodyListens || context.Terminal.Take(reply, out _, out exit)
            ? DaemonCommandLine.Meant(reply.Value, place) : null;
        return meant is not null;
    }

    private static int Show(CommandContext context, string? place)
    {
        if (!TryMean(context, place, out var meant, out var exit)) return exit;
        var read = meant.Read();
        return read.Faults.Count > 0 ? context.Terminal.Fail(read.Faults)
            : context.Terminal.Done(new ConfigReport(read.Files, [.. read.Shown.Select(Report)]), output => Write(output, read));
    }

    private static int Check(CommandContext context, string? place)
    {
        if (!TryMean(context, place, out var meant, out var exit)) return exit;
        return meant.ReadsNoFile ? NoFile(context.Terminal, "name one") : Told(context.Terminal, meant.Read());
    }

    /// <summary>Refuses where there is nothing to read.</summary>
    public static int NoFile(Terminal terminal, string remedy) => terminal.Fail(ExitCode.Failed,
        "the daemon reads no file of settings: its command line says it all", remedy);

    private static int Check(Terminal terminal, string[] given)
    {
        List<Fault> faults = [];
        IReadOnlyList<string> files = [.. given.SelectMany(path => SettingsPlace.Files(Path.GetFullPath(path), faults))];
        var read = SettingsReader.Read(files, [], SettingsSource.Ram);
        return Told(terminal, read with { Faults = [.. faults, .. read.Faults] });
    }

    private static int Told(Terminal terminal, SettingsRead read) => read.Faults.Count > 0 ? terminal.Fail(read.Faults)
        : terminal.Done(new ConfigReport(read.Files, []),
            output => output.WriteLine(Table.Printable($"nothing is wrong in {string.Join(", ", read.Files)}")));

    private static ConfigSetting Report(ShownSetting one) => new(one.Section, one.Pool, one.Key, one.Value, one.Bytes,
        one.From.Option is not null ? "option" : one.From.File is not null ? "file" : "default", one.From.Option, one.From.File,
        one.From.File is null ? null : one.From.Line);

    private static void Write(TextWriter output, SettingsRead read)
    {
        foreach (var file in read.Files) output.WriteLine(Table.Printable($"# {file}"));
        if (read.Files.Count == 0) output.WriteLine("# no file");
        var width = read.Shown.Max(one => $"{one.Key} = {one.Value}".Length is var length && length < 50 ? length : 0);
        (string?, string?) section = default;
        foreach (var one in read.Shown)
        {
            if (section != (one.Section, one.Pool))
                output.WriteLine(one.Pool is null ? $"\n[{one.Section}]" : $"\n[[{one.Section}]]");
            section = (one.Section, one.Pool);
            var size = one.Bytes is { } bytes ? $", {Words.Size(bytes)}" : "";
            output.WriteLine(Table.Printable($"{one.Key} = {one.Value}".PadRight(width) + $"  # {one.From}{size}"));
        }
    }
}
