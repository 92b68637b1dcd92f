using System.Globalization;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;
using Tmem.Ctl.Recover;

namespace Tmem.Ctl.Commands;

/// <summary>Short commands to a daemon, or about a dead one.</summary>
internal static class DaemonVerbs
{
    public static Verb Adopt => new("adopt",
        "Has a worker whose keeper died start another keeper. It does so by itself too; this does not wait for it.",
        (context, _) => context.Terminal.Print(context.Client.Adopt(),
            (output, adopt) => output.WriteLine($"keeper {adopt.KeeperPid} watches")));

    public static Verb Check => new("check",
        "Reads and cross-checks everything stored, while the daemon serves on. Exit code 4 if something is wrong.",
        (context, _) =>
        {
            var reply = context.Client.Check();
            var exit = context.Terminal.Print(reply, Write);
            return reply.Value is null or { Problems.Count: 0 } ? exit : ExitCode.Problems;
        });

    /// <param name="usualSocket">The socket that a mount's daemon has if nobody chose another.</param>
    public static Verb Recover(Func<string, string> usualSocket)
    {
        return new("recover",
            "Cleans up after a daemon of which no process is left: swap, loop devices, mount, socket. Says what was lost. "
            + "Touches only what the kernel says is dead, of the whole machine unless --mount or --socket says whose; exit code "
            + "1 if something is left.",
            (context, _) =>
            {
                var socket = Path.GetFullPath(context.Client.SocketPath);
                return new Recovery(context.System, context.Mounts, context.Terminal, context.Tmemctl).Run(context.MountPoint,
                    socket, context.SocketIsNamed ? mount => usualSocket(mount.MountPoint) == socket : null);
            });
    }

    private static void Write(TextWriter output, CheckReply report)
    {
        foreach (var problem in report.Problems) output.WriteLine("problem: " + Table.Printable(problem));
        var verdict = report.Problems.Count switch { 0 => "all is well", 1 => "1 problem", var many => $"{many} problems" };
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"checked {Counted.Of(report.PagesChecked, "page")}, {Counted.Of(report.ObjectsChecked, "object")}, "
            + $"{Counted.Of(report.SpansChecked, "span")} in {report.Seconds:0.0} s: {verdict}"));
    }
}
