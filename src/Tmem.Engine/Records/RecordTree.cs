using Tmem.Engine.Index;

namespace Tmem.Engine.Records;

/// <summary>A record for a <see cref="RecordTree{T}"/>: its key and links.</summary>
/// <typeparam name="T">The record's struct.</typeparam>
internal interface ITreeRecord<T> : IRecord where T : unmanaged, ITreeRecord<T>
{
    /// <summary>The record's key. Unique within a tree.</summary>
    static abstract ulong Key(in T record);

    /// <summary>Link to the records with lower keys; derived, maintained by the tree.</summary>
    static abstract ref ulong Left(ref T record);

    /// <summary>Link to the records with higher keys; derived, maintained by the tree.</summary>
    static abstract ref ulong Right(ref T record);
}

/// <summary>
/// Ordered trees of records by a 64-bit key. The links are derived: an attach inserts every committed record anew. The caller
/// holds the lock of the tree.
/// </summary>
/// <typeparam name="T">The record's struct.</typeparam>
internal sealed class RecordTree<T> where T : unmanaged, ITreeRecord<T>
{
    private readonly Order _order;

    /// <summary>Trees of records in <paramref name="store"/>; each tree is a root word the caller keeps (0 is empty).</summary>
    public RecordTree(RecordStore store) => _order = new Order(store);

    /// <summary>Inserts a record. False if the key exists already (nothing changed).</summary>
    public bool Insert(ref ulong root, RecordRef record)
    {
        var key = T.Key(in _order.Record(record.Value));
        if (Treap.Find(_order, root, key) != 0) return false;
        Treap.Insert(_order, ref root, record.Value, key);
        return true;
    }

    /// <summary>Removes the record with this key. False if there is none.</summary>
    public bool Remove(ref ulong root, ulong key) => Treap.Remove(_order, ref root, key) != 0;

    /// <summary>The record with this key, or none.</summary>
    public RecordRef Find(ulong root, ulong key) => new(Treap.Find(_order, root, key));

    /// <summary>The record with the lowest key at or above <paramref name="key"/>, or none.</summary>
    public RecordRef AtOrAbove(ulong root, ulong key) => new(Treap.AtOrAbove(_order, root, key));

    private readonly struct Order(RecordStore store) : ITreapOrder<ulong>
    {
        public ref T Record(ulong node) => ref store.Get<T>(new RecordRef(node));
        public int Compare(in ulong key, ulong node) => key.CompareTo(T.Key(in Record(node)));
        public ulong Priority(ulong node) => Secret.Mix(T.Key(in Record(node)));
        public ref ulong Left(ulong node) => ref T.Left(ref Record(node));
        public ref ulong Right(ulong node) => ref T.Right(ref Record(node));
        public static Exception NoEnd() => new DamagedRecordException("a tree of records goes round");
    }
}
