namespace Tmem.Engine.Pools;

/// <summary>A handle with its pool resolved.</summary>
/// <param name="Pool">The pool.</param>
/// <param name="Id">The object.</param>
/// <param name="Index">The page's number within it.</param>
internal readonly record struct PagePlace(Pool Pool, ObjectId Id, uint Index)
{
    public int BucketNumber { get; } = Pool.BucketOf(Id);

    public ref Bucket Bucket => ref Pool.BucketAt(BucketNumber);

    /// <summary>
    /// Which bucket's latch is taken first; 0 if both are one bucket. By place in the pool table, then by bucket, as the verifier
    /// does. Two pools at one place are a dead one and its successor.
    /// </summary>
    public static int LatchOrder(in PagePlace a, in PagePlace b)
    {
        var order = a.Pool.Place.CompareTo(b.Pool.Place);
        if (order == 0) order = a.Pool.Id.Value.CompareTo(b.Pool.Id.Value);
        return order != 0 ? order : a.BucketNumber.CompareTo(b.BucketNumber);
    }
}
