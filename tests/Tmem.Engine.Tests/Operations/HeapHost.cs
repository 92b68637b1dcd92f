using System.Runtime.InteropServices;
using Tmem.Engine.Format;
using Tmem.Engine.Index;

namespace Tmem.Engine.Tests.Operations;

/// <summary>
/// A host that is not a region: nodes and objects are blocks of native memory, and a place is an address. It counts them, and
/// refuses more than a set number.
/// </summary>
internal readonly unsafe struct HeapHost(HeapHost.Heap heap) : IHostOps
{
    /// <summary>State that all copies of the host share.</summary>
    public sealed class Heap(int mostBlocks)
    {
        public int Blocks { get; set; }
        public int Most { get; } = mostBlocks;
    }

    /// <summary>A power of two that a node fits, so that the block of a leaf is found by its address.</summary>
    private const int Block = 1024;

    public ulong AllocateNode() => Allocate();
    public void FreeNode(ulong node) => Free(node);
    public ulong AllocateObject() => Allocate();
    public void FreeObject(ulong obj) => Free(obj);
    public byte* At(ulong place) => (byte*)place;
    public ulong NodeOfLeaf(ulong leaf) => leaf & ~(ulong)(Block - 1);

    private ulong Allocate()
    {
        if (heap.Blocks == heap.Most) return 0;
        heap.Blocks++;
        var block = (ulong*)NativeMemory.AlignedAlloc(Block, Block);
        // As a slab hands it out: taken, and with arbitrary contents.
        new Span<byte>(block, Block).Fill(0xA5);
        *block = SlotState.InFlight;
        return (ulong)block;
    }

    private void Free(ulong block)
    {
        heap.Blocks--;
        NativeMemory.AlignedFree((void*)block);
    }
}
