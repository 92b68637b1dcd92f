using System.Runtime.InteropServices;

namespace Tmem.Fuse.Keeper;

/// <summary>Settings that may change from one worker to the next.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct WorkerSettings
{
    public long CapacityBytes;
    public int Threads;
    public int SpinMicroseconds;
    public int LogLevel;
    public int SyncSeconds;
    /// <summary>The codec of new pages: the engine's number plus one; 0 is each pool's own.</summary>
    public int Codec;
    /// <summary>1 to hold the region in pages of 2 MiB.</summary>
    public int HugePages;
    /// <summary>The program's descriptor: a copy in memory where possible, executed through /proc/self/fd.</summary>
    public int Program;
    /// <summary>
    /// How pages are recompressed, see <see cref="RecompressionWish"/>; 0, from a keeper that does not tell, is as usual. It lies
    /// where earlier versions have a hole.
    /// </summary>
    public int Recompression;
    /// <summary>The file that it was copied from.</summary>
    public ProgramIdentity Identity;
    /// <summary>That file's path as it was given, a C string.</summary>
    public fixed byte ProgramPath[HandoverPage.PathBytes];
}

/// <summary>Identity of a file and its contents.</summary>
[StructLayout(LayoutKind.Sequential)]
internal record struct ProgramIdentity
{
    public ulong Device;
    public ulong Inode;
    public long Size;
    public long ChangedSeconds;
    public long ChangedNanoseconds;
}
