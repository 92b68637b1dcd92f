using System.Runtime.InteropServices;

namespace Tmem.Benchmarks.Codec;

/// <summary>The system's liblz4 (Debian: liblz4-1), the peer that the page codec is measured against.</summary>
internal static unsafe partial class NativeLz4
{
    private const string Library = "liblz4.so.1";

    /// <summary>Whether the machine has it.</summary>
    public static bool Present { get; } = NativeLibrary.TryLoad(Library, out _);

    /// <summary>Its version, as 1.9.4.</summary>
    public static string Version => Marshal.PtrToStringUTF8(LZ4_versionString()) ?? "unknown";

    [LibraryImport(Library)]
    public static partial int LZ4_compress_default(byte* page, byte* block, int length, int room);

    [LibraryImport(Library)]
    public static partial int LZ4_decompress_safe(byte* block, byte* page, int length, int room);

    [LibraryImport(Library)]
    private static partial nint LZ4_versionString();
}
