using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Unicode;
using Tmem.Fuse.Native;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The keeper's writer to the same log: it composes each line on the stack, because the keeper allocates nothing once it keeps.
/// </summary>
internal static class KeeperLog
{
    /// <summary>Writes a line, if its level is logged.</summary>
    public static void Write(LogLevel level, KeeperLine message)
    {
        if (level < Log.Level) return;
        Span<byte> line = stackalloc byte[64 + KeeperLine.Room];
        var length = Compose(line, level, message);
        Log.WriteLine(line[..length]);
    }

    /// <summary>Composes a line without writing it.</summary>
    public static void Rehearse(KeeperLine message)
    {
        Span<byte> line = stackalloc byte[64 + KeeperLine.Room];
        _ = Compose(line, LogLevel.Debug, message);
    }

    private static ReadOnlySpan<byte> NameOf(LogLevel level) => level switch
    {
        LogLevel.Debug => " debug "u8,
        LogLevel.Info => " info "u8,
        LogLevel.Warning => " warning "u8,
        _ => " error "u8,
    };

    /// <summary>Composes a line; returns its length.</summary>
    public static int Compose(Span<byte> line, LogLevel level, KeeperLine message)
    {
        var length = 0;
        if (!Log.GoesToJournal)
            _ = DateTime.UtcNow.TryFormat(line, out length, "yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
        var name = Log.GoesToJournal ? Log.PriorityOf(level) : NameOf(level);
        name.CopyTo(line[length..]);
        length += name.Length;
        message.Text.CopyTo(line[length..]);
        length += message.Text.Length;
        line[length++] = (byte)'\n';
        return length;
    }
}

/// <summary>An interpolated string as bytes on the stack, truncated to the room there.</summary>
[InterpolatedStringHandler]
internal ref struct KeeperLine
{
    public const int Room = 1024;

    private LineBytes _bytes;
    private int _length;

#pragma warning disable IDE0060 // The compiler passes both.
    public KeeperLine(int literalLength, int formattedCount) => _length = 0;
#pragma warning restore IDE0060

    [UnscopedRef]
    public readonly ReadOnlySpan<byte> Text => ((ReadOnlySpan<byte>)_bytes)[.._length];

    [UnscopedRef]
    private Span<byte> Rest => ((Span<byte>)_bytes)[_length..];

    public void AppendLiteral(string text) => AppendFormatted(text);

    public void AppendFormatted(string text)
    {
        _ = Utf8.FromUtf16(text, Rest, out _, out var written);
        _length += written;
    }

    public void AppendFormatted(long number)
    {
        _ = Utf8Formatter.TryFormat(number, Rest, out var written);
        _length += written;
    }

    /// <summary>A number with leading zeros: "D3".</summary>
    public void AppendFormatted(long number, string format)
    {
        _ = Utf8Formatter.TryFormat(number, Rest, out var written, System.Buffers.StandardFormat.Parse(format));
        _length += written;
    }

    public void AppendFormatted(ReadOnlySpan<byte> text)
    {
        text = text[..Math.Min(text.Length, Rest.Length)];
        text.CopyTo(Rest);
        _length += text.Length;
    }

    [InlineArray(Room)]
    private struct LineBytes
    {
        private byte _first;
    }
}
