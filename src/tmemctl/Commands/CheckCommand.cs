using System.CommandLine;
using System.Globalization;
using Tmem.Control.Messages;
using Tmem.Ctl.Output;

namespace Tmem.Ctl.Commands;

/// <summary><c>tmemctl check</c>.</summary>
internal static class CheckCommand
{
    public static Command Create(Func<ParseResult, CommandContext> context)
    {
        var command = new Command("check",
            "Reads and cross-checks everything stored, while the daemon serves on. Exit code 4 if something is wrong.");
        command.SetAction(parse => Run(context(parse)));
        return command;
    }

    private static int Run(CommandContext context)
    {
        var reply = context.Client.Call(ControlMethod.Check, ControlReplyJson.Default.CheckReply, Timeout.InfiniteTimeSpan);
        if (!context.Terminal.Take(reply, out var report, out var exit)) return exit;
        context.Terminal.Done(report, CtlJson.Default.CheckReply, output => Write(output, report));
        return report.Problems.Count == 0 ? ExitCode.Done : ExitCode.Problems;
    }

    private static void Write(TextWriter output, CheckReply report)
    {
        foreach (var problem in report.Problems) output.WriteLine("problem: " + Table.Printable(problem));
        var verdict = report.Problems.Count switch { 0 => "all is well", 1 => "1 problem", var many => $"{many} problems" };
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"checked {report.PagesChecked} pages, {report.ObjectsChecked} objects, {report.SpansChecked} spans in "
            + $"{report.Seconds:0.0} s: {verdict}"));
    }
}
