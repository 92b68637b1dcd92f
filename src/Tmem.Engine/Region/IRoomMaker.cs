namespace Tmem.Engine.Region;

/// <summary>Makes room for a full slab allocator. Called with no latch held.</summary>
internal interface IRoomMaker
{
    /// <summary>
    /// Gives back some memory: free slots between others, or ephemeral pages, those of the client most over its share first.
    /// False if there is none to give.
    /// </summary>
    /// <param name="search">The caller's, the same for all tries of one operation.</param>
    bool MakeRoom(ref RoomSearch search);
}
