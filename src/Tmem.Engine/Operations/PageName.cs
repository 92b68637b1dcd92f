using System.Numerics;
using System.Runtime.CompilerServices;
using Tmem.Engine.Index;
using Tmem.Engine.Pools;

namespace Tmem.Engine.Operations;

/// <summary>
/// A page's handle as one word, by which it is known after its eviction. Two handles may share a word: then one is taken for the
/// other's return, which costs a place on probation and nothing else.
/// </summary>
internal static class PageName
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(Pool pool, in ObjectId id, uint index) =>
        Secret.Mix(Secret.Mix(id.Word0 ^ BitOperations.RotateLeft(id.Word1, 21) ^ BitOperations.RotateLeft(id.Word2, 42))
            ^ ((ulong)pool.Id.Value << 32 | index));
}
