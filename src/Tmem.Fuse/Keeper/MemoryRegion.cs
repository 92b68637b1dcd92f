using Tmds.Linux;

namespace Tmem.Fuse.Keeper;

/// <summary>
/// The memory a store lives in when the user names no file: a memfd, which a process that follows this one can be handed and attach to.
/// </summary>
internal static unsafe class MemoryRegion
{
    /// <summary>A new, empty memfd; the engine sizes it.</summary>
    /// <exception cref="StartupException">The kernel has none to give.</exception>
    public static int Create()
    {
        fixed (byte* name = "tmem-region\0"u8)
        {
            var descriptor = LibC.memfd_create(name, LibC.MFD_CLOEXEC);
            if (descriptor >= 0) return descriptor;
            throw new StartupException($"memfd_create failed: {Libc.Describe((Abi.Errno)LibC.errno)}. Name a file with --region instead.");
        }
    }
}
