namespace Tmem.Engine.Region;

/// <summary>Whom the slab allocator asks when it is full. Called with no latch held.</summary>
internal interface IRoomMaker
{
    /// <summary>
    /// Gives some memory back: of slots that stand empty between others, or of ephemeral pages, those of the client most over its
    /// share first. False if there is none to give.
    /// </summary>
    /// <param name="search">The caller's, the same for all tries of one operation.</param>
    bool MakeRoom(ref RoomSearch search);
}
