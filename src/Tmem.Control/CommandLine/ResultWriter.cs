using System.Text;

namespace Tmem.Control.CommandLine;

/// <summary>
/// A standard stream that may be closed, full, or a file that takes nothing. What a command is doing is more than that somebody
/// reads of it: the first failure to write is kept, to be reported when the command has ended, and what follows it is dropped.
/// </summary>
internal sealed class ResultWriter(TextWriter inner) : TextWriter
{
    private string? _problem;
    private bool _isReported;

    /// <summary>What is written to.</summary>
    public TextWriter Inner { get; } = inner;

    /// <inheritdoc/>
    public override Encoding Encoding => Inner.Encoding;

    /// <summary>Why not all could be written, told once; null if it was.</summary>
    public string? TakeProblem()
    {
        if (_isReported) return null;
        _isReported = _problem is not null;
        return _problem;
    }

    /// <inheritdoc/>
    public override void Write(char value) => Try(() => Inner.Write(value));

    /// <inheritdoc/>
    public override void Write(string? value) => Try(() => Inner.Write(value));

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Try(() => Inner.Write(buffer, index, count));

    /// <inheritdoc/>
    public override void Flush() => Try(Inner.Flush);

    private void Try(Action write)
    {
        if (_problem is not null) return;
        try
        {
            write();
        }
        catch (UnauthorizedAccessException)
        {
            _problem = "it is closed, or not open for writing"; // EBADF
        }
        catch (IOException error)
        {
            _problem = error.Message;
        }
    }
}
