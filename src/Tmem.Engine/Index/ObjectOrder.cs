using Tmem.Engine.Format;

namespace Tmem.Engine.Index;

/// <summary>The order of a bucket's objects: by id.</summary>
internal readonly unsafe struct ObjectOrder<THost>(THost host) : ITreapOrder<ObjectId> where THost : struct, IHostOps
{
    public int Compare(in ObjectId key, ulong node) => key.CompareTo(Record(node).Id);

    public ulong Priority(ulong node) => Secret.Mix(Record(node).Id.Hash());

    public ref ulong Left(ulong node) => ref Record(node).Left;
    public ref ulong Right(ulong node) => ref Record(node).Right;

    public static Exception NoEnd() => new InvalidDataException("a tree of objects goes round: the region is damaged");

    private ref ObjectRecord Record(ulong node) => ref *(ObjectRecord*)host.At(node);
}
