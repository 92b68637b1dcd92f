using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Tmem.Control;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Commands;
using Tmem.Ctl.Mounts;
using Tmem.Ctl.Output;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl;

/// <summary>The command line: all verbs and their common options.</summary>
internal static class CommandTree
{
    private const string Program = "tmemctl";
    private const double ShortestTimeout = 0.01;
    private const int LongestTimeout = 86_400;

    /// <summary>Runs a command line.</summary>
    /// <param name="args">Its words.</param>
    /// <param name="standardOutput">Results.</param>
    /// <param name="standardError">Errors and notes.</param>
    /// <param name="system">Swap.</param>
    /// <param name="mounts">Mounts.</param>
    /// <param name="person">Who can be asked; null if nobody sits there.</param>
    /// <returns>An exit code of <see cref="ExitCode"/>.</returns>
    public static int Run(string[] args, TextWriter standardOutput, TextWriter standardError, ISwapSystem system,
        IMountSystem mounts, TextReader? person = null) =>
        Create(standardOutput, standardError, system, mounts, person).Run(args);

    /// <summary>The tree, from which manuals are made too, and what runs a command line of it.</summary>
    public static (RootCommand Root, Func<string[], int> Run) Create(TextWriter standardOutput, TextWriter standardError,
        ISwapSystem system, IMountSystem mounts, TextReader? person = null)
    {
        var (output, error) = (new ResultWriter(standardOutput), new ResultWriter(standardError));
        var socket = new Option<string>("--socket")
        {
            Description = "The daemon's control socket, for example --socket /run/tmem/tmemd.sock.",
            HelpName = "PATH",
            Recursive = true,
            DefaultValueFactory = _ => ControlProtocol.DefaultSocket,
        };
        socket.AcceptPaths(ControlProtocol.LongestSocketPath);
        var mount = Takes.Path("--mount", "DIR",
            "Instead of --socket: the daemon that serves this mount, if its socket is in /run/tmem. For recover: look at this "
            + "mount alone.");
        mount.Recursive = true;
        var json = new Option<bool>("--json")
        {
            Description = "Print JSON for programs instead of text for people.", Recursive = true,
        };
        var timeout = new Option<double?>("--timeout")
        {
            Description =
                "Seconds to wait for the daemon's answer, for example --timeout 5. Default: 30, and 10 minutes for what may "
                + "take long.",
            HelpName = "SECONDS",
            Recursive = true,
            CustomParser = Seconds,
        };
        var root = new RootCommand("Manages tmemd, the compressed page store: its pools, and swap on it.\n" + ExitCode.Help)
        {
            socket, mount, json, timeout,
            Of(StatusCommand.Create()), Of(TopCommand.Create()),
            Group("pool", "Pools: the directories at the first level of the mount.",
                PoolVerbs.List, PoolVerbs.Show(), PoolVerbs.Create(), PoolSetVerb.Create(), PoolVerbs.Reserve(),
                PoolVerbs.Recompress(), PoolVerbs.Empty(), PoolVerbs.Destroy()),
            Group("swap", "Swap on the store: a file in a persistent pool, a loop device with direct I/O over it, swapon.",
                SwapVerbs.On(), SwapVerbs.Off(), SwapVerbs.Status),
            Group("config", "The files of settings: what they say, and whether they are right.",
                ConfigVerbs.Show(), ConfigVerbs.Check()),
            Of(ReloadCommand.Create()),
            Of(StoreVerbs.Resize()), Of(StoreVerbs.Shrink()), Of(StoreVerbs.Compact), Of(StoreVerbs.Sync),
            Of(TransferVerbs.Save()), Of(TransferVerbs.Restore()),
            Group("client", "Clients: the owners of pools. The file system is client 1.", ClientVerbs.List, ClientVerbs.Set()),
            Of(MetricsCommand.Create()), Of(DaemonVerbs.Check), Of(UpgradeCommand.Create()),
            Of(DaemonVerbs.Adopt), Of(DaemonVerbs.Recover(MountSocket.Of), isDead: true),
            Of(StopCommand.Create()),
        };
        root.Add(Help(Run));
        root.Add(Probe());
        return (root, Run);

        int Run(string[] words) => Usage.Run(root, Program, words,
            new() { Output = output, Error = error, ProcessTerminationTimeout = null }, Complain);

        void Complain(ParseResult parse, Complaint complaint)
        {
            if (parse.GetResult(json) is { Implicit: false, Tokens: not [{ Value: "false" }] })
                new Terminal(output, error, json: true)
                    .Fail(complaint.ExitCode, complaint.Problem, complaint.Remedy);
            else error.WriteLine(complaint.Line);
        }

        Command Of(Verb verb, bool isDead = false)
        {
            var command = verb.Make(parse => new(
                new ControlClient(SocketOf(parse, isDead))
                {
                    Patience = parse.GetValue(timeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                },
                system, mounts, new Terminal(output, error, parse.GetValue(json), person), Mounted(parse), IsNamed(parse)));
            // Of a dead daemon the mount does not tell the socket.
            if (!isDead)
                command.Validators.Add(result =>
                {
                    if (result.GetResult(socket) is { Implicit: false } && result.GetResult(mount) is { Implicit: false })
                        result.AddError("--socket and --mount: give one of them");
                });
            return command;
        }

        string? Mounted(ParseResult parse) => parse.GetValue(mount) is { } given ? MountPath.Of(given) : null;

        bool IsNamed(ParseResult parse) => parse.GetResult(socket) is { Implicit: false };

        string SocketOf(ParseResult parse, bool isDead)
        {
            var named = parse.GetRequiredValue(socket);
            if (IsNamed(parse) || Mounted(parse) is not { } served) return named;
            var usual = MountSocket.Of(served);
            return isDead ? File.Exists(usual) ? usual : named : DaemonFinder.SocketOf(served) ?? usual;
        }

        Command Group(string name, string description, params IEnumerable<Verb> verbs)
        {
            var group = new Command(name, description);
            foreach (var verb in verbs) group.Add(Of(verb));
            return group;
        }
    }

    /// <summary><c>tmemctl help [COMMAND...]</c>; <c>--help</c> does the same.</summary>
    private static Command Help(Func<string[], int> run)
    {
        var words = new Argument<string[]>("COMMAND")
        {
            Description = "The command, for example: help swap on.", Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command("help", "Shows this, or what a command does and takes.") { words };
        command.SetAction(parse => run([.. parse.GetValue(words) ?? [], "--help"]));
        return command;
    }

    /// <summary>The command that "recover" starts to ask a mount for an answer that may never come.</summary>
    private static Command Probe()
    {
        var mount = new Argument<string>("DIR");
        var command = new Command(LinuxMountSystem.ProbeName) { mount };
        command.Hidden = true;
        command.SetAction(parse => LinuxMountSystem.Probe(parse.GetRequiredValue(mount)));
        return command;
    }

    private static double? Seconds(ArgumentResult argument)
    {
        var text = argument.Tokens[0].Value;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)
            && seconds is >= ShortestTimeout and <= LongestTimeout) return seconds;
        argument.AddError($"--timeout: '{text}' is not a number of seconds from {ShortestTimeout} to {LongestTimeout}");
        return null;
    }
}
