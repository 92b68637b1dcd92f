using System.Globalization;

namespace Tmem.Fuse;

/// <summary>How much an event matters.</summary>
internal enum LogLevel
{
    Debug,
    Info,
    Warning,
    Error,
}

/// <summary>
/// The daemon's log: standard error, one line an event, `time level message`. Never on the data path. A line break inside a
/// message is shown as " | ", so that a line stays an event.
/// </summary>
internal static class Log
{
    private static readonly Lock s_lock = new();

    /// <summary>Events below this level are dropped.</summary>
    public static LogLevel Level { get; set; } = LogLevel.Info;

    public static void Debug(string message) => Write(LogLevel.Debug, message);

    public static void Info(string message) => Write(LogLevel.Info, message);

    public static void Warning(string message) => Write(LogLevel.Warning, message);

    public static void Error(string message) => Write(LogLevel.Error, message);

    private static void Write(LogLevel level, string message)
    {
        if (level < Level) return;
        var name = level switch
        {
            LogLevel.Debug => "debug",
            LogLevel.Info => "info",
            LogLevel.Warning => "warning",
            _ => "error",
        };
        var time = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
        try
        {
            lock (s_lock) Console.Error.WriteLine($"{time} {name} {message.ReplaceLineEndings(" | ")}");
        }
        catch (IOException)
        {
            // The log's disk is full, or fails. Swap may stand on this process: a line less is the smaller loss.
        }
    }
}
