using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// From a name to its place in a tree: 47 bits of a keyed hash, and 16 that tell names of equal hash apart. With the key unknown,
/// two of 16 million names of one's own choosing share a hash by chance; so the bound on such names is there for damaged regions
/// and tests.
/// </summary>
internal readonly struct NameHash(in SipKey key, ulong mask)
{
    /// <summary>All bits of a hash.</summary>
    public const ulong Full = (1UL << 47) - 1;

    /// <summary>Names of one hash in one tree: what a search may have to walk.</summary>
    public const ulong MostAlike = 512;

    private const int Shift = 16;

    private readonly SipKey _key = key;

    /// <summary>Never 0.</summary>
    public ulong Of(ReadOnlySpan<byte> name) => Math.Max(SipHash.Of(in _key, name) & mask, 1);

    public static ulong HashOf(ulong key) => key >> Shift;

    /// <summary>Where the names of a hash begin.</summary>
    public static ulong FirstKey(ulong hash) => hash << Shift;

    /// <summary>The lowest key of this hash that no record has; 0 if there is none.</summary>
    public static ulong FreeKey<T>(RecordTree<T> tree, ulong root, ulong hash) where T : unmanaged, ITreeRecord<T>
    {
        for (var number = 1UL; number <= MostAlike; number++)
        {
            var key = hash << Shift | number;
            if (tree.Find(root, key).IsNone) return key;
        }
        return 0;
    }
}
