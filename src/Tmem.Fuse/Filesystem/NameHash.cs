using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>
/// Maps a name to its key in a tree: 47 bits of a keyed hash, and 16 that tell names of equal hash apart. With the key unknown,
/// two of 16 million chosen names share a hash by chance; so the bound on such names serves damaged regions and tests.
/// </summary>
internal readonly struct NameHash(in SipKey key, ulong mask)
{
    /// <summary>Mask of all bits of a hash.</summary>
    public const ulong Full = (1UL << 47) - 1;

    /// <summary>Most names of one hash in one tree: a bound on the length of a search.</summary>
    public const ulong MostAlike = 512;

    private const int Shift = 16;

    private readonly SipKey _key = key;

    /// <summary>Never 0.</summary>
    public ulong Of(ReadOnlySpan<byte> name) => Math.Max(SipHash.Of(in _key, name) & mask, 1);

    public static ulong HashOf(ulong key) => key >> Shift;

    /// <summary>The first key of a hash.</summary>
    public static ulong FirstKey(ulong hash) => hash << Shift;

    /// <summary>The lowest free key of this hash; 0 if there is none.</summary>
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
