using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmem.Control.Host;

namespace Tmem.Settings.Files;

/// <summary>
/// The text of a file that only this user and root can change: root does what is in it. Another file is refused before it is
/// opened (<see cref="TrustedPath"/>), so that no FIFO can hold the reader up.
/// </summary>
internal static class TrustedText
{
    /// <summary>A hundred times what every pool of a store would need: more is another file by mistake.</summary>
    public const int Longest = 1 << 20;

    /// <summary>Reads a file; null with a fault if that is impossible.</summary>
    public static string? Read(string path, List<Fault> faults)
    {
        string? Refuse(string problem, string remedy, int line = 0)
        {
            faults.Add(new(new(path, line), "", problem, remedy));
            return null;
        }

        var opened = TrustedPath.Open(path, new PathWish { OnlyOurs = true });
        if (!opened.IsOpen) return Refuse($"the file is not read: {opened.Problem}", "correct that, or name another file");
        using var handle = new SafeFileHandle(opened.Descriptor, ownsHandle: true);
        try
        {
            var bytes = new byte[Math.Min(RandomAccess.GetLength(handle), Longest) + 1];
            var length = 0;
            while (length < bytes.Length && RandomAccess.Read(handle, bytes.AsSpan(length), length) is > 0 and var read)
                length += read;
            if (length > Longest)
                return Refuse($"it is longer than {Longest >> 20} MiB, and settings are short", "is it another file?");
            var text = bytes.AsSpan(0, length);
            if (text.IndexOf((byte)0) is >= 0 and var zero)
                return Refuse("there is a character 0 in it: it is no text", "write it anew", LineOf(text[..zero]));
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(text);
        }
        catch (DecoderFallbackException error)
        {
            return Refuse($"it is not UTF-8 from byte {error.Index} on", "save it as UTF-8");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return Refuse($"it cannot be read: {error.Message.TrimEnd('.')}", "see to the file");
        }
    }

    private static int LineOf(ReadOnlySpan<byte> before) => before.Count((byte)'\n') + 1;
}
