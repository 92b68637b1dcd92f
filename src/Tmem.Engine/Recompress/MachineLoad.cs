using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Tmem.Engine.Recompress;

/// <summary>
/// How much others want the processors: the kernel's pressure figure where it has one (/proc/pressure/cpu, Linux 4.20 and not
/// switched off), else the load average. Reads a file every two seconds and allocates nothing.
/// </summary>
internal sealed class MachineLoad : IDisposable
{
    private const int Milliseconds = 2000;

    private readonly SafeFileHandle? _pressure = TryOpen("/proc/pressure/cpu");
    private readonly SafeFileHandle? _load = TryOpen("/proc/loadavg");
    private readonly byte[] _text = new byte[128];
    private long _next;
    private double _part = 1;

    /// <summary>
    /// The part of the budget that the machine leaves: 1 while nobody waits for a processor, a tenth when somebody waits for half
    /// of the time, or when there is twice as much to run as there are processors.
    /// </summary>
    public double Part
    {
        get
        {
            if (Environment.TickCount64 < _next) return _part;
            _next = Environment.TickCount64 + Milliseconds;
            return _part = Math.Clamp(Measure(), 0.1, 1);
        }
    }

    public void Dispose()
    {
        _pressure?.Dispose();
        _load?.Dispose();
    }

    /// <summary>The part for a line of /proc/pressure/cpu; null if it is none.</summary>
    internal static double? FromPressure(ReadOnlySpan<char> text)
    {
        var at = text.IndexOf("avg10=");
        if (at < 0) return null;
        text = text[(at + 6)..];
        var end = text.IndexOf(' ');
        return end > 0 && double.TryParse(text[..end], NumberStyles.Float, CultureInfo.InvariantCulture, out var waits)
            ? 1 - waits / 50 : null;
    }

    /// <summary>The part for a line of /proc/loadavg; null if it is none.</summary>
    internal static double? FromLoad(ReadOnlySpan<char> text, int processors)
    {
        var end = text.IndexOf(' ');
        return end > 0 && double.TryParse(text[..end], NumberStyles.Float, CultureInfo.InvariantCulture, out var load)
            ? 2 - load / processors : null;
    }

    private double Measure()
    {
        Span<char> text = stackalloc char[_text.Length];
        return (_pressure is null ? null : FromPressure(text[..Read(_pressure, text)]))
            ?? (_load is null ? null : FromLoad(text[..Read(_load, text)], Environment.ProcessorCount)) ?? 1;
    }

    private int Read(SafeFileHandle file, Span<char> text)
    {
        try { return Encoding.ASCII.GetChars(_text.AsSpan(0, RandomAccess.Read(file, _text, 0)), text); }
        catch (IOException) { return 0; }
    }

    private static SafeFileHandle? TryOpen(string path)
    {
        try { return File.OpenHandle(path); }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { return null; }
    }
}
