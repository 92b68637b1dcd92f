using System.Runtime.InteropServices;

namespace Tmem.Engine.Tests.Codec;

/// <summary>The system's own liblz4, if installed: the format's reference.</summary>
internal static unsafe partial class NativeLz4
{
    public static void SkipUnlessPresent()
    {
        if (!NativeLibrary.TryLoad("liblz4.so.1", out _)) Assert.Skip("liblz4.so.1 is not installed (Debian: liblz4-1)");
    }

    /// <summary>The block's length, or 0 if it does not fit.</summary>
    public static int Encode(ReadOnlySpan<byte> page, Span<byte> destination)
    {
        fixed (byte* from = page, to = destination) return LZ4_compress_default(from, to, page.Length, destination.Length);
    }

    /// <summary>The page's length, or a negative number.</summary>
    public static int Decode(ReadOnlySpan<byte> block, Span<byte> page)
    {
        fixed (byte* from = block, to = page) return LZ4_decompress_safe(from, to, block.Length, page.Length);
    }

    [LibraryImport("liblz4.so.1")]
    private static partial int LZ4_compress_default(byte* from, byte* to, int length, int room);

    [LibraryImport("liblz4.so.1")]
    private static partial int LZ4_decompress_safe(byte* from, byte* to, int length, int room);
}
