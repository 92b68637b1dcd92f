using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Mono.Unix.Native;

namespace Tmem.System.Tests.Support;

/// <summary>
/// The outcome of a program: its exit code (-1 if it was killed for taking too long), and its output on each stream.
/// </summary>
internal sealed record Outcome(string Line, int Code, string Output, string Errors)
{
    public string All => Output + Errors;

    /// <summary>Fails the test with all of the program's output unless it ended well.</summary>
    public Outcome Succeeds()
    {
        if (Code != 0) throw new CommandFailedException($"{Line}\nexit code {Code}\n{All}");
        return this;
    }
}

internal sealed class CommandFailedException(string message) : Exception(message);

/// <summary>Runs other programs, each with a time limit, because the daemon under test can make them hang.</summary>
internal static class Command
{
    public static Outcome Run(string program, params string[] arguments) => RunIn(null, 60, program, arguments);

    public static Outcome RunFor(int seconds, string program, params string[] arguments) =>
        RunIn(null, seconds, program, arguments);

    public static Outcome RunIn(string? folder, int seconds, string program, string[] arguments,
        params (string Name, string Value)[] environment)
    {
        var line = $"{program} {string.Join(' ', arguments)}";
        var info = new ProcessStartInfo(program)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        if (folder is not null) info.WorkingDirectory = folder;
        foreach (var argument in arguments) info.ArgumentList.Add(argument);
        foreach (var (name, value) in environment) info.Environment[name] = value;
        try
        {
            using var process = Process.Start(info)!;
            process.StandardInput.Close();
            var (output, errors) = (new Collector(process.StandardOutput), new Collector(process.StandardError));
            if (!process.WaitForExit(seconds * 1000))
            {
                KillTree(process.Id);
                // Not waited for without end: a program stuck in the kernel dies only when its mount does.
                process.WaitForExit(2000);
                return new Outcome(line, -1, output.Text(1), errors.Text(1) + $"\nno end within {seconds} s; killed");
            }
            // A program may leave children behind that hold its streams (a daemon): waits a moment, then takes what is there.
            return new Outcome(line, process.ExitCode, output.Text(2), errors.Text(2));
        }
        catch (Win32Exception error)
        {
            return new Outcome(line, -1, "", error.Message);
        }
    }

    /// <summary>
    /// Kills a process and all that it has started. .NET's own way reads the command lines of all processes, and waits for any of
    /// them that hangs in the kernel.
    /// </summary>
    public static void KillTree(int process)
    {
        // Stopped first: it starts no other meanwhile, and its children still have it as parent.
        Syscall.kill(process, Signum.SIGSTOP);
        foreach (var child in ChildrenOf(process)) KillTree(child);
        Syscall.kill(process, Signum.SIGKILL);
    }

    private static int[] ChildrenOf(int process)
    {
        try
        {
            return [.. Directory.EnumerateDirectories($"/proc/{process}/task")
                .SelectMany(task => File.ReadAllText(task + "/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Select(child => int.Parse(child, CultureInfo.InvariantCulture))];
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>True when a program of that name is on the path or in the folders for administrators.</summary>
    public static bool Exists(string program) =>
        (Environment.GetEnvironmentVariable("PATH") + ":/usr/sbin:/sbin").Split(':')
            .Any(f => File.Exists(Path.Combine(f, program)));
}
