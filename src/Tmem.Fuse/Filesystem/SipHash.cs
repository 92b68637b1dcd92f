using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tmem.Fuse.Filesystem;

/// <summary>A key of SipHash: 128 bits.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SipKey
{
    public ulong First;
    public ulong Second;
}

/// <summary>
/// SipHash-2-4 (Aumasson and Bernstein, 2012): a hash with a secret key, made for tables with keys chosen by strangers. Any
/// number of hashes reveals nothing of the key, nor of another name's hash. Names are short, and one costs 20 ns; SipHash-1-3
/// would save 7 of them.
/// </summary>
internal static class SipHash
{
    public static ulong Of(in SipKey key, ReadOnlySpan<byte> bytes)
    {
        var v0 = key.First ^ 0x736f6d6570736575UL;
        var v1 = key.Second ^ 0x646f72616e646f6dUL;
        var v2 = key.First ^ 0x6c7967656e657261UL;
        var v3 = key.Second ^ 0x7465646279746573UL;
        var last = (ulong)bytes.Length << 56;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            Absorb(ref v0, ref v1, ref v2, ref v3, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        for (var i = 0; i < bytes.Length; i++) last |= (ulong)bytes[i] << (8 * i);
        Absorb(ref v0, ref v1, ref v2, ref v3, last);
        v2 ^= 0xFF;
        for (var round = 0; round < 4; round++) Round(ref v0, ref v1, ref v2, ref v3);
        return v0 ^ v1 ^ v2 ^ v3;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Absorb(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3, ulong word)
    {
        v3 ^= word;
        Round(ref v0, ref v1, ref v2, ref v3);
        Round(ref v0, ref v1, ref v2, ref v3);
        v0 ^= word;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Round(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v0 += v1;
        v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
        v0 = BitOperations.RotateLeft(v0, 32);
        v2 += v3;
        v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
        v0 += v3;
        v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
        v2 += v1;
        v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
        v2 = BitOperations.RotateLeft(v2, 32);
    }
}
