using System.Collections;
using System.Runtime.InteropServices;
using System.Text;
using Tmem.Control;
using Tmem.Control.Messages;
using Tmem.Ctl.Native;

namespace Tmem.Ctl.Mounts;

/// <summary>Starts a tmemd in the background, and waits until it serves or has said why it does not.</summary>
internal static class MountedDaemon
{
    private const string Name = "tmemd";
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    /// <summary>Of a service manager that has started the caller, and means that one.</summary>
    private static readonly string[] s_notPassedOn =
        ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "JOURNAL_STREAM"];

    /// <summary>tmemd: beside this program, where packages have it, or where administrators put it; null if nowhere.</summary>
    public static string? FindProgram()
    {
        var folder = Path.GetDirectoryName(Environment.ProcessPath) ?? "/usr/bin";
        return new[] { folder, Path.Combine(folder, "../sbin"), "/usr/sbin", "/usr/local/sbin" }
            .Select(place => Path.GetFullPath(Path.Combine(place, Name))).FirstOrDefault(File.Exists);
    }

    /// <summary>Starts it; returns null when it serves, else what it said last.</summary>
    /// <param name="program">Its path.</param>
    /// <param name="arguments">Its options.</param>
    /// <param name="socket">Its socket, which is among them.</param>
    /// <param name="log">Where its log goes.</param>
    public static string? Start(string program, IReadOnlyList<string> arguments, string socket, LogPlace log)
    {
        if (Background.OpenPipe(out var said, out var saying).Problem() is { } noPipe) return noPipe;
        if (Files.Open("/dev/null", Files.ReadOnly, out var nothing).Problem() is { } noInput) return "/dev/null: " + noInput;
        var problem = Background.Start(program, [program, .. arguments, "--log-to-output"], Variables(log), nothing,
            log.Descriptor, saying, out var process);
        Files.Close(saying);
        Files.Close(nothing);
        if (problem != Errno.Ok) return $"{program} cannot be started: {problem.Problem()}";
        var words = new StringBuilder();
        var reading = new Thread(() => Read(said, words)) { IsBackground = true };
        reading.Start();
        return Await(process, socket, out var signal) ? null : Told(reading, words, signal);
    }

    /// <summary>True when it serves, false when it has ended. A signal to this process ends both.</summary>
    private static bool Await(int process, string socket, out int signal)
    {
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using var end = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        var client = new ControlClient(socket) { Patience = s_patience };
        for (; !Background.HasEnded(process, out signal); Thread.Sleep(s_look))
        {
            // It listens before it serves, and answers then. Somebody else may have the socket.
            if (client.Status().Value?.Processes is { } named && named.KeeperPid == process) return true;
        }
        return false;

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            Background.Stop(process);
        }
    }

    private static string Told(Thread reading, StringBuilder words, int signal)
    {
        // All who could write are gone, but for a process that is stuck.
        reading.Join(s_patience);
        string[] lines;
        lock (words) lines = words.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var killed = signal == 0 ? null : $"{Name} was killed by signal {signal} before it served";
        return StartLine.Choose(lines) is { } told ? killed is null ? told : $"{killed}; the last that it said is: {told}"
            : killed ?? $"{Name} has ended without a word";
    }

    /// <summary>Ends with the daemon, or with this process: the daemon then says no more to it.</summary>
    private static void Read(int said, StringBuilder words)
    {
        using var reader = new FileStream(new(said, ownsHandle: true), FileAccess.Read, 1);
        var buffer = new byte[4096];
        int length;
        while ((length = reader.Read(buffer)) > 0)
            lock (words) words.Append(Encoding.UTF8.GetString(buffer, 0, length));
    }

    private static List<string> Variables(LogPlace log)
    {
        var variables = new List<string>();
        foreach (DictionaryEntry one in Environment.GetEnvironmentVariables())
            if (!s_notPassedOn.Contains((string)one.Key)) variables.Add($"{one.Key}={one.Value}");
        if (log.Stream is { } stream) variables.Add("JOURNAL_STREAM=" + stream);
        return variables;
    }
}
