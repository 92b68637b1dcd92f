using Tmem.Engine.Records;

namespace Tmem.Engine.Tests;

/// <summary>
/// The tree built from a list equals the tree made by inserting one record after the other, link for link: keys and priorities
/// allow only one.
/// </summary>
public sealed class RecordTreeBuilderTests
{
    public enum Keys { Even, InOrder, Backwards, Few, OneHash, Huge }

    public static TheoryData<Keys, int> Shapes()
    {
        var shapes = new TheoryData<Keys, int>();
        foreach (var keys in Enum.GetValues<Keys>())
            foreach (var count in (int[])[0, 1, 2, 7, 8, 31, 300, 20_000]) shapes.Add(keys, count);
        return shapes;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_tree_of_a_list_is_the_one_that_insertions_make(Keys keys, int count)
    {
        using var engine = Engines.Still();
        var tree = new RecordTree<TreeNode>(engine.Records);
        var builder = new RecordTreeBuilder<TreeNode>(engine.Records);
        var random = new Random(count);
        ulong inserted = 0, built = 0;
        var twins = new Dictionary<ulong, int>();
        // Two records for each key, one for each tree, because a record has one pair of links.
        for (var i = 0; i < count; i++)
        {
            var key = KeyOf(keys, random, i);
            if (!tree.Insert(ref inserted, Make(engine.Records, key))) twins[key] = twins.GetValueOrDefault(key) + 1;
            builder.Push(ref built, Make(engine.Records, key));
        }
        for (var twin = builder.Build(ref built); !twin.IsNone; twin = builder.Next(twin))
        {
            var key = engine.Records.Get<TreeNode>(twin).Number;
            if (--twins[key] == 0) twins.Remove(key);
        }
        Assert.Empty(twins);
        AssertAlike(engine.Records, inserted, built);
        // No state of one tree is left in the next.
        ulong other = 0;
        builder.Push(ref other, Make(engine.Records, 5));
        Assert.True(builder.Build(ref other).IsNone);
        Assert.Equal(0UL, engine.Records.Get<TreeNode>(new RecordRef(other)).Left);
        Assert.Equal(0UL, engine.Records.Get<TreeNode>(new RecordRef(other)).Right);
    }

    private static ulong KeyOf(Keys keys, Random random, int i) => keys switch
    {
        Keys.Even => (ulong)random.NextInt64() >> 1,
        Keys.InOrder => (ulong)i,
        Keys.Backwards => 1_000_000UL - (ulong)i,
        Keys.Few => (ulong)random.Next(10),
        Keys.OneHash => 77UL << 40 | (uint)random.Next(1 << 16),
        _ => ulong.MaxValue - (ulong)random.NextInt64(),
    };

    private static RecordRef Make(RecordStore records, ulong key)
    {
        Assert.Equal(TmemStatus.Ok, records.Allocate(1, 24, out var record));
        records.Get<TreeNode>(record).Number = key;
        records.Commit(record);
        return record;
    }

    private static void AssertAlike(RecordStore records, ulong one, ulong other)
    {
        Assert.Equal(one == 0, other == 0);
        if (one == 0) return;
        var (first, second) = (records.Get<TreeNode>(new RecordRef(one)), records.Get<TreeNode>(new RecordRef(other)));
        Assert.Equal(first.Number, second.Number);
        AssertAlike(records, first.Left, second.Left);
        AssertAlike(records, first.Right, second.Right);
    }
}
