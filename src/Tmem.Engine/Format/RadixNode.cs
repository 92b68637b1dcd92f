using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tmem.Engine.Format;

/// <summary>
/// A node of an object's page tree: 64 words, at level 1 page descriptors (the leaves), above that places of child nodes.
/// <code>
/// word 0   | object place / 16 : 44 | 0 : 15 | level : 4 | 0 : 1 |      never 0 nor 1: see SlabAllocator
/// word 1   | entries in use : 32 (derived) | first index below this node : 32 |
/// words 2-65  entries
/// </code>
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal unsafe struct RadixNode
{
    public const int Shift = 6;
    public const int Fanout = 1 << Shift;
    public const int EntriesOffset = 16;
    public const int Bytes = EntriesOffset + Fanout * 8;

    /// <summary>Levels that cover a 32-bit index.</summary>
    public const int MaximumHeight = 6;

    public ulong Header;
    public uint FirstIndex;
    public int Used;
    public fixed ulong Entries[Fanout];

    public readonly int Level => (int)(Header >> 1) & 0xF;
    public readonly ulong Object => Header >> 20 << 4;

    public static ulong MakeHeader(ulong objectPlace, int level) => objectPlace >> 4 << 20 | (uint)level << 1;

    /// <summary>The entry of a node at this level that covers an index.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Slot(uint index, int level) => (int)(index >> (level - 1) * Shift) & (Fanout - 1);

    /// <summary>The height a tree needs to hold an index: 0 holds index 0 alone.</summary>
    public static int HeightFor(uint index)
    {
        var height = 0;
        while (index != 0)
        {
            height++;
            index >>= Shift;
        }
        return height;
    }

    /// <summary>The first index of a node of this level on the path to <paramref name="index"/>.</summary>
    public static uint FirstBelow(uint index, int level) =>
        level >= MaximumHeight ? 0 : index >> level * Shift << level * Shift;
}
