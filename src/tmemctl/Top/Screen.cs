using System.Runtime.InteropServices;
using System.Text;

namespace Tmem.Ctl.Top;

/// <summary>
/// The terminal while <c>top</c> has it: another screen, from which it returns as it was. Frames are drawn over one another, a
/// line at a time, so that nothing flickers. Spectre.Console's live display was considered, and neither follows a terminal that
/// is resized nor cuts what has no room; what it knows of the width of letters is used.
/// </summary>
internal sealed class Screen : IDisposable
{
    private const string Enter = "\e[?1049h\e[?25l\e[?7l", Leave = "\e[?7h\e[?25h\e[?1049l";
    private const string Home = "\e[H", RestOfLine = "\e[K", RestOfScreen = "\e[J";

    private readonly List<PosixSignalRegistration> _signals = [];
    private volatile bool _isEnded;
    private (int Width, int Height) _drawn;

    public Screen()
    {
        foreach (var signal in (ReadOnlySpan<PosixSignal>)[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
            _signals.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                _isEnded = true;
            }));
        Write(Enter);
    }

    /// <summary>Whether keys can be read, and the terminal can be drawn on: a dumb one prints lines, and so does none.</summary>
    public static bool IsCapable => !Console.IsInputRedirected
        && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb" or "unknown");

    public static (int Width, int Height) Size => (Console.WindowWidth, Console.WindowHeight);

    /// <summary>Draws a frame, cut to the terminal's size.</summary>
    /// <param name="frame">The lines for a width and a height.</param>
    public void Draw(Func<int, int, IEnumerable<string>> frame)
    {
        var (width, height) = _drawn = Size;
        var text = new StringBuilder(Home);
        var isFirst = true;
        foreach (var line in TopView.Cut(frame(width, height), width, height))
        {
            text.Append(isFirst ? "" : "\r\n").Append(line).Append(RestOfLine);
            isFirst = false;
        }
        Write(text.Append(RestOfScreen).ToString());
    }

    /// <summary>Waits for a key; null if none comes, or the terminal is resized, or a signal ends it all.</summary>
    public ConsoleKey? WaitForKey(TimeSpan patience, out bool isEnded)
    {
        var until = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (!_isEnded && Environment.TickCount64 < until && Size == _drawn)
        {
            if (Console.KeyAvailable)
            {
                isEnded = false;
                return Console.ReadKey(intercept: true).Key;
            }
            Thread.Sleep(30);
        }
        isEnded = _isEnded;
        return null;
    }

    public void Dispose()
    {
        Write(Leave);
        foreach (var signal in _signals) signal.Dispose();
    }

    private static void Write(string text)
    {
        Console.Out.Write(text);
        Console.Out.Flush();
    }
}
