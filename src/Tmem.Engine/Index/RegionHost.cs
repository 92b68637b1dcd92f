using System.Runtime.CompilerServices;
using Tmem.Engine.Format;
using Tmem.Engine.Region;

namespace Tmem.Engine.Index;

/// <summary>The default host: nodes and objects are slabs of the region.</summary>
internal readonly unsafe struct RegionHost(SlabAllocator slabs) : IHostOps
{
    public ulong AllocateNode() => slabs.Allocate(SpanKind.Nodes, SizeClasses.Node);
    public void FreeNode(ulong node) => slabs.Free(node);
    public ulong AllocateObject() => slabs.Allocate(SpanKind.Objects, SizeClasses.Object);
    public void FreeObject(ulong obj) => slabs.Free(obj);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* At(ulong place) => slabs.At(place);

    public ulong NodeOfLeaf(ulong leaf) => slabs.SlotOf(leaf);
}
