using Tmem.Engine.Format;

namespace Tmem.Engine.Index;

/// <summary>
/// The index's host: memory for radix nodes and objects (kztmem's <c>tmem_hostops</c>). Places are byte offsets; 0 means no room.
/// An allocation has a first word of <see cref="SlotState.InFlight"/> and is otherwise not cleared.
/// </summary>
internal unsafe interface IHostOps
{
    ulong AllocateNode();
    void FreeNode(ulong node);
    ulong AllocateObject();
    void FreeObject(ulong obj);
    byte* At(ulong place);

    /// <summary>The node that contains a leaf, known to lie in one.</summary>
    ulong NodeOfLeaf(ulong leaf);
}
