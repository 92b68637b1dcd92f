using System.CommandLine;
using Tmem.Control.CommandLine;
using Tmem.Ctl.Recover;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl recover</c>.</summary>
internal static class RecoverCommand
{
    private const int LongestPath = 4095;

    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var mount = new Option<string?>("--mount") { Description = "Look at this mount alone.", HelpName = "DIR" };
        mount.AcceptPaths(LongestPath, optional: true);
        var command = new Command("recover",
            "Cleans up after a daemon of which no process is left: swap, loop devices, mount, socket. Says what was lost. "
            + "Touches only what the kernel says is dead; "
            + "exit code 1 if something is left.")
        { mount };
        command.SetAction(parse =>
        {
            var own = context(parse);
            return new Recovery(own.System, own.Mounts, own.Terminal, own.Tmemctl).Run(
                parse.GetValue(mount) is { } only ? Path.GetFullPath(only) : null, Path.GetFullPath(own.Client.SocketPath));
        });
        return command;
    }

    /// <summary>What the command above runs to ask a mount for an answer that may never come.</summary>
    public static Command CreateProbe()
    {
        var mount = new Argument<string>("DIR");
        var command = new Command(LinuxMountSystem.ProbeName) { mount };
        command.Hidden = true;
        command.SetAction(parse => LinuxMountSystem.Probe(parse.GetRequiredValue(mount)));
        return command;
    }
}
