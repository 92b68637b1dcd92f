namespace Tmem.Engine.Index;

/// <summary>Objects of a bucket, ordered by id.</summary>
internal readonly unsafe struct ObjectOrder<THost>(THost host) : ITreapOrder<ObjectId> where THost : struct, IHostOps
{
    public int Compare(in ObjectId key, ulong node) => key.CompareTo(Record(node).Id);

    // Its own mix of the id, so that priorities are independent of the bucket, which the low byte of the same hash chose.
    public ulong Priority(ulong node) => Record(node).Id.Hash() >> 8;

    public ref ulong Left(ulong node) => ref Record(node).Left;
    public ref ulong Right(ulong node) => ref Record(node).Right;

    private ref ObjectRecord Record(ulong node) => ref *(ObjectRecord*)host.At(node);
}
