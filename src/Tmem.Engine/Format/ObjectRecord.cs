using System.Runtime.InteropServices;

namespace Tmem.Engine.Format;

/// <summary>
/// An object: its id, its page tree, and its links in the bucket's ordered tree.
/// <code>
/// word 0   | pool id : 32 | 0 : 16 | bucket : 8 | 0 : 6 | 1 (committed) | 0 |
/// words 1-3   object id, word 0 to 2
/// word 4   | place of the root node / 16 : 44 | 0 : 16 | height : 4 |      0 while the height is 0
/// word 5   page descriptor of index 0 while the height is 0
/// words 6-8   links and page count (derived)
/// word 9   place of the object that this one replaces (while it is being moved), else 0
/// </code>
/// An object without pages does not exist: its last page takes it along.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal struct ObjectRecord
{
    public const int Bytes = 80;
    public const int Page0Offset = 40;

    public ulong Header;
    public ulong Id0;
    public ulong Id1;
    public ulong Id2;
    public ulong Root;
    public ulong Page0;
    public ulong Left;
    public ulong Right;
    public long Pages;
    public ulong Supersedes;

    public readonly ObjectId Id => new(Id0, Id1, Id2);
    public readonly PoolId Pool => new((uint)(Header >> 32));
    public readonly int Bucket => (int)(Header >> 8) & 0xFF;
    public readonly int Height => (int)Root & 0xF;
    public readonly ulong RootNode => Root >> 20 << 4;
    public readonly bool IsCommitted => (Header & 3) == 2;

    public static ulong MakeHeader(PoolId pool, int bucket) => (ulong)pool.Value << 32 | (uint)bucket << 8 | 2;
    public static ulong MakeRoot(ulong node, int height) => height == 0 ? 0 : node >> 4 << 20 | (uint)height;
}
