using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tmem.Engine.Pam;

/// <summary>Detects pages of one repeated word, which need no slot.</summary>
internal static class SameFill
{
    /// <summary>True if all 8-byte words of a page are equal. For most other pages the first words decide.</summary>
    public static bool Is(ReadOnlySpan<byte> page, out ulong word)
    {
        word = MemoryMarshal.Read<ulong>(page);
        if (MemoryMarshal.Read<ulong>(page[^8..]) != word) return false;
        var vectors = MemoryMarshal.Cast<byte, Vector<ulong>>(page);
        var expected = new Vector<ulong>(word);
        ref var first = ref MemoryMarshal.GetReference(vectors);
        for (var i = 0; i < vectors.Length; i++)
        {
            if (!Vector.EqualsAll(Unsafe.Add(ref first, i), expected)) return false;
        }
        return true;
    }
}
