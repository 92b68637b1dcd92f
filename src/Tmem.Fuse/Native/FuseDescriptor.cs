using System.Globalization;
using Tmem.Control.Host;

namespace Tmem.Fuse.Native;

/// <summary>Descriptors of /dev/fuse.</summary>
internal static unsafe class FuseDescriptor
{
    private const string Word = "fuse_connection:";

    /// <summary>The connection of one, as the minor number of its device; null where the kernel does not tell it.</summary>
    public static int? ConnectionOf(int descriptor)
    {
        var lines = KernelFile.TryRead(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fdinfo/{descriptor}"));
        var line = lines?.Split('\n').FirstOrDefault(line => line.StartsWith(Word, StringComparison.Ordinal));
        return line is not null && int.TryParse(line.AsSpan(Word.Length), CultureInfo.InvariantCulture, out var number) ? number
            : null;
    }

    /// <summary>Another descriptor of the same connection, for another thread; without a managed allocation.</summary>
    public static Errno TryClone(int descriptor, out int clone)
    {
        fixed (byte* path = "/dev/fuse\0"u8) clone = Libc.open(path, Libc.O_RDWR | Libc.O_CLOEXEC | Libc.O_NONBLOCK);
        if (clone < 0) return Libc.LastError;
        var original = (uint)descriptor;
        if (Libc.ioctl(clone, Libc.FuseClone, &original) == 0) return Errno.Ok;
        var error = Libc.LastError;
        _ = Libc.close(clone);
        clone = -1;
        return error;
    }
}
