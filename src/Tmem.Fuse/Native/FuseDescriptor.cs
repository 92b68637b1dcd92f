namespace Tmem.Fuse.Native;

/// <summary>Descriptors of /dev/fuse, without a managed allocation.</summary>
internal static unsafe class FuseDescriptor
{
    /// <summary>Another descriptor of the same connection, for another thread.</summary>
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
