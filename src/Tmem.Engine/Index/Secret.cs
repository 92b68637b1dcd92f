using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmem.Engine.Region;

namespace Tmem.Engine.Index;

/// <summary>
/// A secret of this process, from the system's random source, mixed into the priorities of trees so that others can neither see
/// nor predict them. Trees are derived, so it need not outlive the process. A mix of two multiplications is enough where its
/// results never show.
/// </summary>
internal static class Secret
{
    private static readonly (ulong First, ulong Second) s_key = Draw();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Mix(ulong key)
    {
        // Folded twice, as wyhash does: every bit of the key reaches every bit of the result, by way of secret numbers.
        var high = Math.BigMul(key ^ s_key.First, s_key.Second | 1, out var low);
        high = Math.BigMul(high ^ low, s_key.First | 1, out low);
        return high ^ low;
    }

    private static (ulong First, ulong Second) Draw()
    {
        Span<ulong> words = stackalloc ulong[2];
        SystemRandom.Fill(MemoryMarshal.AsBytes(words));
        return (words[0], words[1]);
    }
}
