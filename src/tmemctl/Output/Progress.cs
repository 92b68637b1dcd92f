namespace Tmem.Ctl.Output;

/// <summary>
/// A line for a person who waits: written now and again, over the one before, and gone when the work is done. On a thread of its
/// own, because the work is a system call that does not return.
/// </summary>
internal sealed class Progress : IDisposable
{
    private const string Begin = "\r", Clear = "\e[K";

    private readonly TextWriter _output;
    private readonly ManualResetEventSlim _done = new();
    private readonly Thread _thread;

    /// <summary>Begins to show it.</summary>
    /// <param name="output">A terminal.</param>
    /// <param name="text">How far the work is; null for nothing to say. Called on another thread.</param>
    /// <param name="pause">Between two lines, and before the first.</param>
    public Progress(TextWriter output, Func<string?> text, TimeSpan pause)
    {
        _output = output;
        _thread = new Thread(() => Show(text, pause)) { IsBackground = true };
        _thread.Start();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _done.Set();
        _thread.Join();
        _done.Dispose();
    }

    private void Show(Func<string?> text, TimeSpan pause)
    {
        var isShown = false;
        while (!_done.Wait(pause))
        {
            if (text() is not { } now) continue;
            Write(Begin + Table.Printable(now) + Clear);
            isShown = true;
        }
        if (isShown) Write(Begin + Clear);
    }

    private void Write(string text)
    {
        _output.Write(text);
        _output.Flush();
    }
}
