using Tmem.Engine.Format;

namespace Tmem.Engine.Index;

/// <summary>
/// What the index asks of its host: memory for radix nodes and objects (kztmem's <c>tmem_hostops</c>). Places are byte offsets; 0
/// says there is no room. What is handed out has a first word of <see cref="SlotState.InFlight"/> and is otherwise not
/// cleared.
/// </summary>
internal unsafe interface IHostOps
{
    ulong AllocateNode();
    void FreeNode(ulong node);
    ulong AllocateObject();
    void FreeObject(ulong obj);
    byte* At(ulong place);

    /// <summary>The node that a leaf, known to lie in one, lies in.</summary>
    ulong NodeOfLeaf(ulong leaf);
}
