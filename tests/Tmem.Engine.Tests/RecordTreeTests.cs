using Tmem.Engine.Records;

namespace Tmem.Engine.Tests;

/// <summary>Nobody can choose the shape of a tree, not even with knowledge of every function that is not secret.</summary>
public sealed class RecordTreeTests
{
    /// <summary>
    /// Keys whose public hashes fall as they rise: with those as priorities, each would hang below the one before.
    /// </summary>
    [Fact]
    public void Keys_chosen_by_the_public_hash_make_no_list()
    {
        using var engine = Engines.Still();
        var tree = new RecordTree<TreeNode>(engine.Records);
        ulong root = 0;
        var (count, lowest) = (0, ulong.MaxValue);
        for (ulong key = 1; count < 600; key++)
        {
            var hash = new ObjectId(key).Hash();
            // Steps down by a thousandth each.
            if (hash >= lowest || lowest - hash > ulong.MaxValue / 500) continue;
            lowest = hash;
            count++;
            Assert.Equal(TmemStatus.Ok, engine.Records.Allocate(1, 24, out var record));
            engine.Records.Get<TreeNode>(record).Number = key;
            engine.Records.Commit(record);
            Assert.True(tree.Insert(ref root, record));
            if (lowest < ulong.MaxValue / 100) lowest = ulong.MaxValue;
        }
        Assert.InRange(Depth(engine.Records, root), 9, 60);
    }

    private static int Depth(RecordStore records, ulong place)
    {
        if (place == 0) return 0;
        ref var node = ref records.Get<TreeNode>(new RecordRef(place));
        return 1 + Math.Max(Depth(records, node.Left), Depth(records, node.Right));
    }
}
