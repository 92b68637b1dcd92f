using System.Runtime.InteropServices;

namespace Tmem.Engine.Durability;

/// <summary>
/// What Tmds.LibC 0.5.0 lacks: flock, userfaultfd in its asynchronous write-protect mode, and the PAGEMAP_SCAN ioctl of Linux
/// 6.7.
/// </summary>
internal static unsafe partial class NativeMethods
{
    public const int LockShared = 1;
    public const int LockExclusive = 2;
    public const int LockNothing = 8;
    public const int LockNonBlocking = 4;

    public static readonly int UserfaultCall = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 323 : 282;

    public const int UserModeOnly = 1;
    public const ulong UserfaultApi = 0xAA;
    public const ulong FeatureWriteProtectShmem = 1UL << 12;
    public const ulong FeatureWriteProtectUnpopulated = 1UL << 13;
    public const ulong FeatureWriteProtectAsync = 1UL << 15;
    public const ulong RegisterWriteProtect = 2;
    public const nuint UserfaultApiCall = 0xC018AA3F;
    public const nuint RegisterCall = 0xC020AA00;

    public const nuint PagemapScanCall = 0xC0606610;
    public const ulong ScanWriteProtectMatching = 1;
    public const ulong ScanCheckAsync = 2;
    public const ulong PageIsWritten = 2;

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int FileLock(int descriptor, int operation);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial nint Control(int descriptor, nuint request, void* argument);
}

/// <summary>struct uffdio_api.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UserfaultApi
{
    public ulong Api;
    public ulong Features;
    public ulong Ioctls;
}

/// <summary>struct uffdio_register.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UserfaultRegister
{
    public ulong Start;
    public ulong Length;
    public ulong Mode;
    public ulong Ioctls;
}

/// <summary>struct pm_scan_arg.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PagemapScan
{
    public ulong Size;
    public ulong Flags;
    public ulong Start;
    public ulong End;
    public ulong WalkEnd;
    public ulong Regions;
    public ulong RegionsLength;
    public ulong MaximumPages;
    public ulong CategoryInverted;
    public ulong CategoryMask;
    public ulong CategoryAnyOf;
    public ulong ReturnMask;
}

/// <summary>struct page_region.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PagemapRegion
{
    public ulong Start;
    public ulong End;
    public ulong Categories;
}
