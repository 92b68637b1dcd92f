using System.CommandLine;
using System.Globalization;
using Tmem.Control;
using Tmem.Control.CommandLine;
using Tmem.Control.Messages;
using Tmem.Ctl.Commands;
using Tmem.Ctl.Output;
using Tmem.Ctl.Recover;
using Tmem.Ctl.Swap;

namespace Tmem.Ctl;

/// <summary>What every command works with.</summary>
internal sealed record CommandContext(ControlClient Client, ISwapSystem System, IMountSystem Mounts, Terminal Terminal)
{
    /// <summary>Command lines that address the daemon this one addresses.</summary>
    public ControlCommand Tmemctl => Client.Command;
}

/// <summary>The command line: one command a file, put together here.</summary>
internal static class CommandTree
{
    private const double ShortestTimeout = 0.01;
    private const int LongestTimeout = 86_400;

    /// <summary>Runs a command line.</summary>
    /// <returns>An exit code of <see cref="ExitCode"/>.</returns>
    public static int Run(string[] args, TextWriter output, TextWriter error, ISwapSystem system, IMountSystem mounts)
    {
        var socket = new Option<string>("--socket")
        {
            Description = "The daemon's control socket, for example --socket /run/tmem/tmemd.sock.",
            HelpName = "PATH",
            Recursive = true,
            DefaultValueFactory = _ => ControlProtocol.DefaultSocket,
        };
        socket.AcceptPaths(ControlProtocol.LongestSocketPath);
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
            CustomParser = argument =>
            {
                if (double.TryParse(argument.Tokens[0].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
                    out var seconds) && seconds is >= ShortestTimeout and <= LongestTimeout)
                    return seconds;
                argument.AddError(
                    $"--timeout: '{argument.Tokens[0].Value}' is not a number of seconds from {ShortestTimeout} to "
                    + $"{LongestTimeout}");
                return null;
            },
        };
        CommandContext Context(ParseResult parse) => new(
            new ControlClient(parse.GetRequiredValue(socket))
            {
                Patience = parse.GetValue(timeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            },
            system, mounts, new Terminal(output, error, parse.GetValue(json)));

        var root = new RootCommand("Manages tmemd, the compressed page store: its pools, and swap on it.\n"
            + ExitCode.Help) { socket, json, timeout };
        root.Add(StatusCommand.Create(Context));
        root.Add(new Command("pool", "Pools: the directories at the first level of the mount.")
        {
            PoolListCommand.Create(Context),
            PoolShowCommand.Create(Context),
            PoolCreateCommand.Create(Context),
            PoolReserveCommand.Create(Context),
            PoolDestroyCommand.Create(Context),
        });
        root.Add(
            new Command("swap", "Swap on the store: a file in a persistent pool, a loop device with direct I/O over it, swapon.")
        {
            SwapOnCommand.Create(Context),
            SwapOffCommand.Create(Context),
            SwapStatusCommand.Create(Context),
        });
        root.Add(CheckCommand.Create(Context));
        root.Add(UpgradeCommand.Create(Context));
        root.Add(AdoptCommand.Create(Context));
        root.Add(RecoverCommand.Create(Context));
        root.Add(StopCommand.Create(Context));
        root.Add(HelpCommand.Create(words => Usage.Run(root, "tmemctl", words, Streams())));
        root.Add(RecoverCommand.CreateProbe());

        return Usage.Run(root, "tmemctl", args, Streams());

        InvocationConfiguration Streams() => new() { Output = output, Error = error, ProcessTerminationTimeout = null };
    }

    /// <summary>The argument that names a pool; a new one has a name that can be shown.</summary>
    public static Argument<string> PoolArgument(string description, bool isNew = false)
    {
        var name = new Argument<string>("NAME") { Description = description };
        name.Validators.Add(result =>
        {
            if (result.Tokens.Count != 1) return;
            var given = result.Tokens[0].Value;
            if ((PoolName.Impossible(given) ?? (isNew ? PoolName.Unshowable(given) : null)) is var (problem, remedy))
                result.AddError($"{problem}; {remedy}");
        });
        return name;
    }

    /// <summary>An argument that is a size or "none".</summary>
    public static Argument<long> SizeOrNoneArgument(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = argument => UsageValues.SizeOrNone(argument, name) ?? 0,
    };

    /// <summary>An option that takes a size or "none", which is 0.</summary>
    public static Option<long> SizeOrNoneOption(string name, string description, long least = 0) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = argument => UsageValues.SizeOrNone(argument, name, least) ?? 0,
    };

    /// <summary>An option that takes a size.</summary>
    public static Option<long?> SizeOption(string name, string description, long least = 1, long most = long.MaxValue) => new(
        name)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = argument => UsageValues.Size(argument, name, least, most),
    };

    /// <summary>An option that takes a whole number.</summary>
    public static Option<int?> NumberOption(string name, string description, int least, int most) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = argument => UsageValues.Number(argument, name, least, most),
    };
}
