using System.Runtime.InteropServices;

namespace Tmem.Engine.Region;

/// <summary>
/// The system's random source, getrandom(2), for values that others must not guess. System.Random is predictable, and
/// RandomNumberGenerator would load a library of 4 MiB into locked memory for a few bytes.
/// </summary>
internal static unsafe partial class SystemRandom
{
    /// <summary>Fills a span with random bytes.</summary>
    /// <exception cref="InvalidOperationException">The system has none to give.</exception>
    public static void Fill(Span<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            for (var done = 0; done < bytes.Length;)
            {
                var got = GetRandom(start + done, (nuint)(bytes.Length - done), 0);
                if (got <= 0) throw new InvalidOperationException("the system gives no random bytes (getrandom failed)");
                done += (int)got;
            }
        }
    }

    // May be interrupted before the source is ready, early in boot; after that, a request of up to 256 bytes never is.
    [LibraryImport("libc", EntryPoint = "getrandom")]
    private static partial nint GetRandom(byte* bytes, nuint count, uint flags);
}
