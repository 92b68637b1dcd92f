using System.Globalization;
using System.Text;
using Tmem.Control.Messages;

namespace Tmem.Fuse.Native;

/// <summary>How much an event matters.</summary>
internal enum LogLevel
{
    Debug,
    Info,
    Warning,
    Error,
}

/// <summary>
/// The daemon's log: one line an event, `time level message`, written to standard error with one write(2) each, so that lines of
/// several processes do not mix. Never on the data path. In a daemon that keeps a mount, standard error is a pipe that never
/// makes a writer wait (<see cref="Keeper.LogPipe"/>); a line that finds it full is lost, and counted. A line break inside a
/// message is shown as " | ", so that an event stays one line.
/// <para>For the journal (<see cref="GoesToJournal"/>) a line is `&lt;priority&gt;message`: it notes the time itself.</para>
/// </summary>
internal static unsafe class Log
{
    /// <summary>What a pipe takes atomically (PIPE_BUF). A longer event becomes several lines.</summary>
    private const int MostBytes = 4096;
    private const int StandardError = 2;

    private static int* s_lost;

    /// <summary>Events below this level are dropped.</summary>
    public static LogLevel Level { get; set; } = LogLevel.Info;

    /// <summary>
    /// Whether the lines end in systemd's journal, which takes a line's priority, as of syslog(3), in front of it. The process
    /// that a user starts finds out (<see cref="IsJournal"/>), and the others are told.
    /// </summary>
    public static bool GoesToJournal { get; set; }

    /// <summary>
    /// Whether a descriptor is the stream that systemd connected to the journal: it names the stream's device and inode in
    /// JOURNAL_STREAM, because a child may have its errors somewhere else.
    /// </summary>
    public static bool IsJournal(int descriptor)
    {
        Tmds.Linux.stat status;
        var stream = Environment.GetEnvironmentVariable("JOURNAL_STREAM");
        return stream is not null && Tmds.Linux.LibC.fstat(descriptor, &status) == 0
            && stream == string.Create(CultureInfo.InvariantCulture, $"{(ulong)status.st_dev}:{(ulong)status.st_ino}");
    }

    /// <summary>What stands before a message of the journal.</summary>
    public static ReadOnlySpan<byte> PriorityOf(LogLevel level) => level switch
    {
        LogLevel.Debug => "<7>"u8,
        LogLevel.Info => "<6>"u8,
        LogLevel.Warning => "<4>"u8,
        _ => "<3>"u8,
    };

    public static void Debug(string message) => Write(LogLevel.Debug, message);

    public static void Info(string message) => Write(LogLevel.Info, message);

    public static void Warning(string message) => Write(LogLevel.Warning, message);

    public static void Error(string message) => Write(LogLevel.Error, message);

    /// <summary>Sets the counter of lost lines.</summary>
    public static void CountLost(int* counter) => s_lost = counter;

    /// <summary>A message as a line shows it: it may contain a name that a user chose, of a pool, a process, a path.</summary>
    public static string OneLine(string message) => SafeText.Printable(message.ReplaceLineEndings(" | "));

    /// <summary>Writes lines that end with a line break.</summary>
    public static void WriteLine(ReadOnlySpan<byte> line)
    {
        nint written;
        fixed (byte* start = line)
        {
            do written = Libc.write(StandardError, start, (nuint)line.Length);
            while (written < 0 && Libc.LastError == Errno.EINTR);
        }
        // Swap may be on this process: losing a line is the smaller loss.
        if (written != line.Length && s_lost != null) Interlocked.Increment(ref *s_lost);
    }

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
        var start = GoesToJournal ? PriorityOf(level).ToArray() : Encoding.UTF8.GetBytes($"{time} {name} ");
        var rest = Encoding.UTF8.GetBytes(OneLine(message)).AsSpan();
        do
        {
            var part = rest[..Math.Min(rest.Length, MostBytes - start.Length - 1)];
            // Never cut within a character.
            while (part.Length < rest.Length && (rest[part.Length] & 0xC0) == 0x80) part = part[..^1];
            WriteLine([.. start, .. part, (byte)'\n']);
            rest = rest[part.Length..];
        }
        while (rest.Length > 0);
    }
}
