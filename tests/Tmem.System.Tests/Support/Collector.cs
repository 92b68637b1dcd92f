using System.Text;

namespace Tmem.System.Tests.Support;

/// <summary>Keeps what a child writes to a stream, whether or not the stream ever ends.</summary>
internal sealed class Collector
{
    private readonly StringBuilder _text = new();
    private readonly Task _end;

    public Collector(StreamReader reader) => _end = Read(reader);

    /// <summary>Everything so far.</summary>
    public string Text()
    {
        lock (_text) return _text.ToString();
    }

    /// <summary>Everything, once the stream has ended or so many seconds have passed.</summary>
    public string Text(int seconds)
    {
        _end.Wait(TimeSpan.FromSeconds(seconds));
        return Text();
    }

    private async Task Read(StreamReader reader)
    {
        var buffer = new char[4096];
        try
        {
            for (int read; (read = await reader.ReadAsync(buffer).ConfigureAwait(false)) > 0;)
                lock (_text) _text.Append(buffer, 0, read);
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // The child is gone and its stream with it: what was read counts.
        }
    }
}
