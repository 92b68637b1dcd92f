using System.Globalization;

namespace Tmem.Control.Host;

/// <summary>What a look at processes has found.</summary>
/// <param name="Found">In the order of the processes.</param>
/// <param name="Silent">The processes that did not answer, in words: see <see cref="ProcessSearch.NameOf"/>.</param>
internal readonly record struct ProcessFindings<T>(IReadOnlyList<T> Found, IReadOnlyList<string> Silent);

/// <summary>
/// A look at the processes of the machine that none of them can hold up. Some files of /proc (maps, cmdline, environ) wait for
/// locks of the process that they describe, and one that hangs in the kernel keeps these for as long: in execve, while it closes
/// a file on a mount that does not answer, say. So a thread looks that can be left behind where it waits, and another one goes on
/// with the next process. What waits there can be killed, so it keeps this process from nothing, its end included.
/// </summary>
internal static class ProcessSearch
{
    /// <summary>Looks at every process.</summary>
    /// <param name="look">
    /// Gets a process's directory, and what to pass each finding to; what can wait comes last. Called by one thread at a time,
    /// except for those left behind. That the process has ended, or may not be looked at, is no failure.
    /// </param>
    public static ProcessFindings<T> Everywhere<T>(Action<string, Action<T>> look) => new ProcessSearch<T>(
        [.. Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0]))], look).Run();

    /// <summary>Looks at one process.</summary>
    /// <param name="process">Its number.</param>
    /// <param name="look">See <see cref="Everywhere"/>.</param>
    public static ProcessFindings<T> At<T>(int process, Action<string, Action<T>> look) => new ProcessSearch<T>(
        [string.Create(CultureInfo.InvariantCulture, $"/proc/{process}")], look).Run();

    /// <summary>"process 123 (bash)", which no process can hold up.</summary>
    /// <param name="process">Its directory.</param>
    public static string NameOf(string process) =>
        $"process {Path.GetFileName(process)} ({KernelFile.TryRead(process + "/comm")})";
}

/// <summary>One such look.</summary>
internal sealed class ProcessSearch<T>(IReadOnlyList<string> processes, Action<string, Action<T>> look)
{
    private const int StackBytes = 128 << 10;

    /// <summary>Behind so many new ones the search ends with what it has.</summary>
    private const int MostSilent = 4;

    /// <summary>With one process, whose files are read in milliseconds unless it hangs.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(500);

    private readonly object _gate = new();
    private readonly List<T> _found = [];
    private readonly List<string> _silent = [];
    private int _at;
    private int _leftBehind;
    private bool _isLooking;
    private bool _isOver;

    /// <summary>Looks at all, or as many as answer.</summary>
    public ProcessFindings<T> Run()
    {
        lock (_gate)
        {
            Begin();
            for (var seen = -1; !_isOver;)
            {
                if (Monitor.Wait(_gate, s_patience) || !_isLooking || seen != _at)
                {
                    // A thread that has not begun yet waits for nobody.
                    seen = _isLooking ? _at : -1;
                    continue;
                }
                WaitedFor.Add(processes[_at]);
                _silent.Add(processes[_at++]);
                _leftBehind++;
                if (_leftBehind == MostSilent) break;
                Begin();
            }
            return new([.. _found], [.. _silent.Select(ProcessSearch.NameOf)]);
        }
    }

    private void Begin()
    {
        var number = _leftBehind;
        _isLooking = false;
        new Thread(() => LookAtAll(number), StackBytes) { IsBackground = true, Name = "process search" }.Start();
    }

    private void LookAtAll(int number)
    {
        for (var process = Next(number, done: null); process is not null; process = Next(number, process))
        {
            try
            {
                look(process, finding => Note(number, finding));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The process is gone, or access is denied.
            }
        }
    }

    /// <summary>The next process to look at; null at the end, and for a thread that was left behind.</summary>
    private string? Next(int number, string? done)
    {
        lock (_gate)
        {
            if (number != _leftBehind)
            {
                if (done is not null) WaitedFor.Remove(done);
                return null;
            }
            if (done is not null) _at++;
            _isLooking = true;
            for (; _at < processes.Count; _at++)
            {
                if (!WaitedFor.Has(processes[_at])) return processes[_at];
                _silent.Add(processes[_at]);
            }
            _isOver = true;
            Monitor.Pulse(_gate);
            return null;
        }
    }

    private void Note(int number, T finding)
    {
        lock (_gate)
            if (number == _leftBehind) _found.Add(finding);
    }
}

/// <summary>
/// The processes for which a thread that was left behind waits now. A later search passes them by, so there is never more than
/// one thread for each.
/// </summary>
file static class WaitedFor
{
    private static readonly HashSet<string> s_processes = [];

    public static void Add(string process)
    {
        lock (s_processes) s_processes.Add(process);
    }

    public static void Remove(string process)
    {
        lock (s_processes) s_processes.Remove(process);
    }

    public static bool Has(string process)
    {
        lock (s_processes) return s_processes.Contains(process);
    }
}
