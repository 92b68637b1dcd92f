using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Tmem.Control;
using Tmem.Control.Messages;

namespace Tmem.Ctl.Output;

/// <summary>
/// The output of a command: results to standard output, errors and notes to standard error, as text or (with --json) as JSON.
/// </summary>
internal sealed class Terminal(TextWriter output, TextWriter error, bool json, TextReader? person = null)
{
    private readonly bool _showsProgress = !json && Table.IsErrorTerminal(error);

    /// <summary>The same with standard error a terminal or not, whatever it is.</summary>
    public Terminal(TextWriter output, TextWriter error, bool json, bool isErrorTerminal) : this(output, error, json) =>
        _showsProgress = !json && isErrorTerminal;

    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        // As on the socket.
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        TypeInfoResolver = JsonTypeInfoResolver.Combine(CtlJson.Default, ControlJson.Default),
    };

    /// <summary>Whether --json was given.</summary>
    public bool Json { get; } = json;

    /// <summary>Standard output.</summary>
    public TextWriter Output { get; } = output;

    /// <summary>The same for a command that is part of another one: its errors are shown, its results are not.</summary>
    public Terminal WithoutResults() => new(TextWriter.Null, error, Json);

    /// <summary>Shows a person at a terminal how far a long work is, until it is disposed of; null for nobody.</summary>
    public Progress? Progress(Func<string?> text, TimeSpan pause) =>
        _showsProgress ? new Progress(error, text, pause) : null;

    /// <summary>Whether text goes to a terminal.</summary>
    public bool IsPerson => !Json && Table.IsTerminal(Output);

    /// <summary>Asks a person for a yes. Null if nobody can be asked: a program calls, or no terminal is there.</summary>
    public bool? Ask(string question)
    {
        if (Json || person is null) return null;
        error.Write($"{Table.Printable(question)} [y/N] ");
        error.Flush();
        return person.ReadLine()?.Trim().ToUpperInvariant() is "Y" or "YES";
    }

    /// <summary>A result: JSON for programs, or what <paramref name="text"/> writes for people.</summary>
    public int Done<T>(T value, Action<TextWriter> text)
    {
        if (Json) Output.WriteLine(Serialize(value));
        else text(Output);
        Output.Flush();
        return ExitCode.Done;
    }

    /// <summary>The daemon's reply: prints the value as the result, or the error.</summary>
    public int Print<T>(Reply<T> reply, Action<TextWriter, T> text) where T : class =>
        Take(reply, out var value, out var exit) ? Done(value, output => text(output, value)) : exit;

    /// <summary>A note on the progress; shown to people at once, never to programs.</summary>
    public void Note(string text)
    {
        if (Json) return;
        Output.WriteLine(Table.Printable(text));
        Output.Flush();
    }

    /// <summary>An error; returns the exit code given.</summary>
    public int Fail(int exitCode, string message, string remedy = "", int code = 0)
    {
        if (Json)
            error.WriteLine(Serialize(new ErrorReport(exitCode, code, message, remedy)));
        else error.WriteLine(remedy.Length == 0 ? "tmemctl: " + Table.Printable(message)
            : $"tmemctl: {Table.Printable(message)}; {Table.Printable(remedy)}");
        return exitCode;
    }

    /// <summary>The value of a reply; else reports the error and returns the exit code.</summary>
    public bool Take<T>(Reply<T> reply, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out T? value, out int exitCode)
        where T : class
    {
        value = reply.Value;
        exitCode = ExitCode.Done;
        if (value is not null) return true;
        exitCode = reply.Error is { } refused
            ? Fail(ExitCode.Failed, refused.Message, refused.Data?.Remedy ?? "", refused.Code)
            : Fail(reply.MayBeDone ? ExitCode.Unknown : ExitCode.Unreachable, reply.Unreachable!, reply.Remedy);
        return false;
    }

    private static string Serialize<T>(T value) =>
        JsonSerializer.Serialize(value, (JsonTypeInfo<T>)s_json.GetTypeInfo(typeof(T)));
}
