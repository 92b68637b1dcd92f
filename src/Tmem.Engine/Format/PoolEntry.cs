using System.Runtime.InteropServices;

namespace Tmem.Engine.Format;

/// <summary>One place of the pool table: 64 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct PoolEntry
{
    /// <summary>The pool's id while it lives; 0 otherwise. One store creates a pool, one store ends it.</summary>
    public ulong LivingId;
    /// <summary>Uses of this place so far; the next pool here gets the next number, so that no id ever returns.</summary>
    public uint Uses;
    public uint Flags;
    public uint Owner;
    public uint Policy;
    public long LimitBytes;
    public ulong SharedLow;
    public ulong SharedHigh;
    /// <summary>The restore this pool comes from, while it is under way; 0 otherwise.</summary>
    public uint Restore;
    /// <summary>
    /// The pool's reserve, in bytes; 0 for none, as in regions made before reserves existed. One store changes it.
    /// </summary>
    public long ReserveBytes;

    private const uint PolicyRefuseIncompressible = 1;
    /// <summary>The position of the new pages' codec in <see cref="Policy"/>, eight bits of it.</summary>
    private const int PolicyCodecShift = 8;
    private const uint PolicyCodecMask = 0xFF << PolicyCodecShift;

    /// <summary>The policy word of a pool's options.</summary>
    public static uint PolicyOf(in PoolOptions options) =>
        (options.RefuseIncompressible ? PolicyRefuseIncompressible : 0) | (uint)options.Codec << PolicyCodecShift;

    /// <summary>False for bits that no program of this version writes.</summary>
    public static bool IsKnownPolicy(uint policy) => (policy & ~(PolicyRefuseIncompressible | PolicyCodecMask)) == 0;

    /// <summary>The options written as these words.</summary>
    public static PoolOptions Options(uint flags, uint policy, long limitBytes, SharedId shared) => new(
        (PoolFlags)flags, limitBytes, (policy & PolicyRefuseIncompressible) != 0,
        (TmemCodec)((policy & PolicyCodecMask) >> PolicyCodecShift), shared);
}
