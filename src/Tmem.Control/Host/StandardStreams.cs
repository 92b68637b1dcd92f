using System.Runtime.InteropServices;

namespace Tmem.Control.Host;

/// <summary>Standard input, output and error of this process.</summary>
internal static partial class StandardStreams
{
    private const int ReadOnly = 0;
    private const int Last = 2;

    /// <summary>
    /// Opens those that the caller closed, so that no file or socket gets one of their numbers and what is meant for people is
    /// written into it. For reading alone: a write fails, as it did.
    /// </summary>
    public static void Occupy()
    {
        int descriptor;
        while ((descriptor = open("/dev/null", ReadOnly, 0)) is >= 0 and <= Last) { }
        if (descriptor > Last) _ = close(descriptor);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);
}
