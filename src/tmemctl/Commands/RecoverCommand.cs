using System.CommandLine;
using Tmem.Ctl.Recover;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl recover</c>.</summary>
internal static class RecoverCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var mount = new Option<DirectoryInfo?>("--mount") { Description = "Look at this mount alone.", HelpName = "DIR" };
        var command = new Command("recover",
            "Cleans up after a daemon of which no process is left: swap, loop devices, mount, socket. Says what was lost. Never touches a mount that is served.")
        { mount };
        command.SetAction(parse =>
        {
            var own = context(parse);
            return new Recovery(own.System, new LinuxMountSystem(), own.Terminal).Run(parse.GetValue(mount)?.FullName, own.Client.SocketPath);
        });
        return command;
    }
}
