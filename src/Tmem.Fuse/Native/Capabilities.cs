using System.Runtime.InteropServices;

namespace Tmem.Fuse.Native;

/// <summary>capget(2) and capset(2) of the calling thread: a bit a capability.</summary>
internal static unsafe partial class Capabilities
{
    private const int Version = 0x20080522;

    /// <summary>The permitted set; 0 if the kernel does not say.</summary>
    public static ulong Permitted()
    {
        var header = new Header { Version = Version };
        var sets = stackalloc Sets[2];
        return capget(&header, sets) != 0 ? 0 : sets[0].Permitted | ((ulong)sets[1].Permitted << 32);
    }

    /// <summary>Reduces its sets to these, and leaves nothing inheritable.</summary>
    /// <param name="effective">Most of the effective set, within the permitted one.</param>
    /// <param name="permitted">Most of the permitted set.</param>
    public static void Keep(ulong effective, ulong permitted)
    {
        var header = new Header { Version = Version };
        var sets = stackalloc Sets[2];
        if (capget(&header, sets) != 0) return;
        for (var word = 0; word < 2; word++)
        {
            sets[word].Permitted &= (uint)(permitted >> 32 * word);
            sets[word].Effective = sets[word].Permitted & (uint)(effective >> 32 * word);
            sets[word].Inheritable = 0;
        }
        _ = capset(&header, sets);
    }

    /// <summary>struct __user_cap_header_struct.</summary>
    private struct Header
    {
        public uint Version;
        public int Process;
    }

    /// <summary>struct __user_cap_data_struct.</summary>
    private struct Sets
    {
        public uint Effective;
        public uint Permitted;
        public uint Inheritable;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int capget(Header* header, Sets* sets);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int capset(Header* header, Sets* sets);
}
