using Tmem.Engine.Operations;
using Tmem.Engine.Pools;
using Tmem.Engine.Region;

namespace Tmem.Engine.Tests.Operations;

/// <summary>Makes no room.</summary>
internal sealed class NoReclaimer : IReclaimer
{
    public bool MakeRoom(ref RoomSearch search) => false;
    public void Expect(ulong name) { }
    public bool HasReturned(ulong name) => false;
    public bool EvictOne(Pool pool) => false;
    public bool EvictOneOf(ClientState client) => false;
}
