namespace Tmem.Ctl.Commands;

/// <summary>A command again and again, as watch(1) does it; a failure is shown, and the next time may succeed.</summary>
internal static class Repetition
{
    private const string Clear = "\e[H\e[J";

    /// <summary>Runs until <paramref name="wait"/> says that it is over; returns the last exit code.</summary>
    /// <param name="output">Where the results go.</param>
    /// <param name="onTerminal">Whether to clear the screen before each, rather than leave an empty line between two.</param>
    /// <param name="run">The command.</param>
    /// <param name="wait">Waits for the next time; false to end.</param>
    public static int Run(TextWriter output, bool onTerminal, Func<int> run, Func<bool> wait)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            if (onTerminal) output.Write(Clear);
            else if (!isFirst) output.WriteLine();
            output.Flush();
            var exit = run();
            if (!wait()) return exit;
        }
    }
}
