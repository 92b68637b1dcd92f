using System.Runtime.InteropServices;

namespace Tmem.Engine.Region;

/// <summary>What Tmds.LibC 0.5.0 lacks.</summary>
internal static partial class NativeMethods
{
    public const int LockExclusive = 2;
    public const int LockNonBlocking = 4;

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int FileLock(int descriptor, int operation);
}
