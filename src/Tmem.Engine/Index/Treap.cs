namespace Tmem.Engine.Index;

/// <summary>A treap's view of its nodes: keys, links and priorities, by the node's place.</summary>
/// <typeparam name="TKey">The key.</typeparam>
internal interface ITreapOrder<TKey>
{
    /// <summary>Negative if the key comes before the node, 0 if it is the node's own.</summary>
    int Compare(in TKey key, ulong node);

    /// <summary>
    /// A number constant for a node and spread evenly over nodes. Others must not be able to derive it from the key: with known
    /// priorities they could choose keys that make the tree a list.
    /// </summary>
    ulong Priority(ulong node);

    ref ulong Left(ulong node);
    ref ulong Right(ulong node);

    /// <summary>The error for an endless walk: links of a damaged tree may form a cycle.</summary>
    static abstract Exception NoEnd();
}

/// <summary>
/// An ordered binary tree balanced by chance: each node's priority is a hash that only this process knows (<see cref="Secret"/>);
/// parents have higher ones (Seidel and Aragon, "Randomized search trees", 1996). Chosen over red-black and AVL trees because a
/// node needs no balance field and an insertion or removal is one walk down; about 1.39 log2 n steps to find. Links are derived
/// state, so no store here has to survive a crash.
/// </summary>
internal static class Treap
{
    /// <summary>A bound on walks: by chance, one of a thousand million nodes is deeper than 200 once in 10^20 trees.</summary>
    private const int Deepest = 1000;

    public static ulong Find<TOrder, TKey>(in TOrder order, ulong root, in TKey key)
        where TOrder : struct, ITreapOrder<TKey>
    {
        for (var depth = 0; root != 0; depth++)
        {
            if (depth > Deepest) throw TOrder.NoEnd();
            var side = order.Compare(in key, root);
            if (side == 0) break;
            root = side < 0 ? order.Left(root) : order.Right(root);
        }
        return root;
    }

    /// <summary>The first node at or above the key; 0 if there is none.</summary>
    public static ulong AtOrAbove<TOrder, TKey>(in TOrder order, ulong root, in TKey key)
        where TOrder : struct, ITreapOrder<TKey>
    {
        ulong best = 0;
        for (var depth = 0; root != 0; depth++)
        {
            if (depth > Deepest) throw TOrder.NoEnd();
            var side = order.Compare(in key, root);
            if (side == 0) return root;
            if (side < 0)
            {
                best = root;
                root = order.Left(root);
            }
            else
            {
                root = order.Right(root);
            }
        }
        return best;
    }

    /// <summary>Inserts a node whose key is not in the tree.</summary>
    public static void Insert<TOrder, TKey>(in TOrder order, ref ulong root, ulong node, in TKey key)
        where TOrder : struct, ITreapOrder<TKey>
    {
        var priority = order.Priority(node);
        ref var link = ref root;
        var depth = 0;
        for (; link != 0 && order.Priority(link) >= priority; depth++)
        {
            if (depth > Deepest) throw TOrder.NoEnd();
            link = ref order.Compare(in key, link) < 0 ? ref order.Left(link) : ref order.Right(link);
        }

        // The subtree found here moves below the new node, split by its key.
        var rest = link;
        link = node;
        ref var lower = ref order.Left(node);
        ref var upper = ref order.Right(node);
        for (; rest != 0; depth++)
        {
            if (depth > Deepest) throw TOrder.NoEnd();
            if (order.Compare(in key, rest) < 0)
            {
                upper = rest;
                upper = ref order.Left(rest);
                rest = upper;
            }
            else
            {
                lower = rest;
                lower = ref order.Right(rest);
                rest = lower;
            }
        }
        lower = 0;
        upper = 0;
    }

    /// <summary>Replaces a node by one with the same key, priority and links.</summary>
    public static void Replace<TOrder, TKey>(in TOrder order, ref ulong root, ulong node, ulong successor, in TKey key)
        where TOrder : struct, ITreapOrder<TKey>
    {
        ref var link = ref root;
        while (link != node)
            link = ref order.Compare(in key, link) < 0 ? ref order.Left(link) : ref order.Right(link);
        link = successor;
    }

    /// <summary>Removes the node with this key and returns it; 0 if there is none.</summary>
    public static ulong Remove<TOrder, TKey>(in TOrder order, ref ulong root, in TKey key)
        where TOrder : struct, ITreapOrder<TKey>
    {
        ref var link = ref root;
        var depth = 0;
        for (; link != 0; depth++)
        {
            if (depth > Deepest) throw TOrder.NoEnd();
            var side = order.Compare(in key, link);
            if (side == 0) break;
            link = ref side < 0 ? ref order.Left(link) : ref order.Right(link);
        }
        var node = link;
        if (node == 0) return 0;

        // Its subtrees are merged into its place, higher priority first.
        var left = order.Left(node);
        var right = order.Right(node);
        for (; left != 0 && right != 0; depth++)
        {
            if (depth > 2 * Deepest) throw TOrder.NoEnd();
            if (order.Priority(left) >= order.Priority(right))
            {
                link = left;
                link = ref order.Right(left);
                left = link;
            }
            else
            {
                link = right;
                link = ref order.Left(right);
                right = link;
            }
        }
        link = left | right;
        return node;
    }
}
