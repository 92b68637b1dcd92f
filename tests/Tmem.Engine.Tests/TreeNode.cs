using Tmem.Engine.Records;

namespace Tmem.Engine.Tests;

/// <summary>A record of a tree: only links and a key.</summary>
internal struct TreeNode : ITreeRecord<TreeNode>
{
    public ulong Left;
    public ulong Right;
    public ulong Number;

    static byte IRecord.Kind => 1;
    static ulong ITreeRecord<TreeNode>.Key(in TreeNode record) => record.Number;
    static ref ulong ITreeRecord<TreeNode>.Left(ref TreeNode record) => ref record.Left;
    static ref ulong ITreeRecord<TreeNode>.Right(ref TreeNode record) => ref record.Right;
}
