using System.Diagnostics;
using System.Runtime.CompilerServices;
using Tmem.Engine.Format;

namespace Tmem.Engine.Index;

/// <summary>
/// The page tree of one object: 64-way nodes, as high as the highest index needs and no higher. Every change that must survive a
/// crash is one 8-byte store (a leaf, a child, the root word); counts are derived. The caller holds the latch of the object's
/// bucket.
/// </summary>
internal readonly unsafe struct RadixTree<THost, TBinder>(THost host, TBinder binder)
    where THost : struct, IHostOps
    where TBinder : struct, ILeafBinder
{
    /// <summary>The place of the leaf of an index; 0 if the tree has none there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong FindLeaf(ulong obj, uint index) => FindLeaves(obj, index, out _);

    /// <summary>
    /// As <see cref="FindLeaf"/>, with the number of consecutive leaves from that one on in its node. If there is no leaf, the
    /// number of indexes without one.
    /// </summary>
    public ulong FindLeaves(ulong obj, uint index, out int count)
    {
        ref var record = ref Object(obj);
        var height = record.Height;
        count = RadixNode.Fanout - RadixNode.Slot(index, 1);
        if (height == 0)
        {
            if (index != 0) return 0;
            count = 1;
            return obj + ObjectRecord.Page0Offset;
        }
        if (height < RadixNode.MaximumHeight && index >> height * RadixNode.Shift != 0) return 0;
        var node = record.RootNode;
        for (var level = height; level > 1; level--)
        {
            node = Node(node).Entries[RadixNode.Slot(index, level)];
            if (node == 0) return 0;
        }
        return LeafIn(node, RadixNode.Slot(index, 1));
    }

    /// <summary>
    /// The place of an index's leaf, making nodes as needed; 0 if there is no room for them (the tree is unchanged).
    /// </summary>
    /// <param name="obj">The object.</param>
    /// <param name="index">The page's index.</param>
    /// <param name="nodes">Nodes made.</param>
    public ulong MakeLeaf(ulong obj, uint index, out int nodes)
    {
        nodes = 0;
        if (!Grow(obj, index, ref nodes))
        {
            nodes -= Prune(obj, index);
            return 0;
        }
        ref var record = ref Object(obj);
        if (record.Height == 0) return obj + ObjectRecord.Page0Offset;
        var node = record.RootNode;
        for (var level = record.Height; level > 1; level--)
        {
            ref var entry = ref Node(node).Entries[RadixNode.Slot(index, level)];
            if (entry == 0)
            {
                var child = NewNode(obj, level - 1, RadixNode.FirstBelow(index, level - 1));
                if (child == 0)
                {
                    nodes -= Prune(obj, index);
                    return 0;
                }
                nodes++;
                Volatile.Write(ref entry, child);
                Node(node).Used++;
            }
            node = entry;
        }
        return LeafIn(node, RadixNode.Slot(index, 1));
    }

    /// <summary>Undoes <see cref="MakeLeaf"/> for a leaf that stayed empty.</summary>
    public void Undo(ulong obj, uint index) => Prune(obj, index);

    /// <summary>
    /// Puts a descriptor into a leaf: the one store that makes a page exist. Returns the descriptor it replaces (0: none).
    /// </summary>
    public ulong Commit(ulong obj, ulong leaf, ulong descriptor)
    {
        Debug.Assert(leaf != 0 && descriptor != 0, "a page is committed to a leaf");
        ref var word = ref *(ulong*)host.At(leaf);
        var old = word;
        Volatile.Write(ref word, descriptor);
        if (old == 0)
        {
            ref var record = ref Object(obj);
            record.Pages++;
            if (record.Height != 0) NodeOf(leaf).Used++;
        }
        return old;
    }

    /// <summary>Empties consecutive leaves and frees the nodes that this leaves empty. Returns how many held a page.</summary>
    /// <param name="obj">The object.</param>
    /// <param name="index">The index of the first.</param>
    /// <param name="leaf">Its place.</param>
    /// <param name="count">How many, as <see cref="FindLeaves"/> returns.</param>
    /// <param name="taken">Receives the descriptors of the pages.</param>
    /// <param name="nodes">Nodes freed.</param>
    public int Remove(ulong obj, uint index, ulong leaf, int count, ulong* taken, out int nodes)
    {
        nodes = 0;
        var words = (ulong*)host.At(leaf);
        var found = 0;
        for (var i = 0; i < count; i++)
        {
            if (words[i] == 0) continue;
            taken[found++] = words[i];
            Volatile.Write(ref words[i], 0);
        }
        if (found == 0) return 0;
        ref var record = ref Object(obj);
        record.Pages -= found;
        Debug.Assert(record.Pages >= 0, "an object counts its pages");
        if (record.Height != 0)
        {
            ref var node = ref NodeOf(leaf);
            node.Used -= found;
            Debug.Assert(node.Used >= 0, "a node counts its entries");
            // A node with more entries stays, and so does everything above it; only the root may still have to come down.
            if (node.Used <= 1) nodes = Prune(obj, index);
        }
        return found;
    }

    /// <summary>The lowest index with a page at or above one. False if there is none.</summary>
    public bool Next(ulong obj, uint from, out uint found)
    {
        ref var record = ref Object(obj);
        var height = record.Height;
        found = 0;
        if (height == 0) return from == 0 && record.Page0 != 0;
        if (height < RadixNode.MaximumHeight && from >> height * RadixNode.Shift != 0) return false;
        return NextBelow(record.RootNode, height, from, out found);
    }

    /// <summary>
    /// The lowest index at or above one that has no page; 2^32 if all have. A full node is skipped by its count, so that 64 pages
    /// cost one look. False if it ran out of nodes first; <paramref name="found"/> is then where to continue.
    /// </summary>
    public bool NextHole(ulong obj, ulong from, int nodes, out ulong found)
    {
        ref var record = ref Object(obj);
        var height = record.Height;
        found = from;
        if (height == 0)
        {
            if (from == 0 && record.Page0 != 0) found = 1;
            return true;
        }
        for (; found <= uint.MaxValue; nodes--)
        {
            if (nodes == 0) return false;
            if (height < RadixNode.MaximumHeight && found >> height * RadixNode.Shift != 0) return true;
            var node = record.RootNode;
            for (var level = height; level > 1 && node != 0; level--)
                node = Node(node).Entries[RadixNode.Slot((uint)found, level)];
            if (node == 0) return true;
            var slot = RadixNode.Slot((uint)found, 1);
            if (Node(node).Used == RadixNode.Fanout)
            {
                found += (ulong)(RadixNode.Fanout - slot);
                continue;
            }
            for (; slot < RadixNode.Fanout; slot++, found++)
                if (Node(node).Entries[slot] == 0) return true;
        }
        return true;
    }

    /// <summary>
    /// Makes <paramref name="to"/> replace node <paramref name="from"/>. False if that is no node of this object any more.
    /// </summary>
    public bool MoveNode(ulong obj, ulong from, ulong to)
    {
        ref var record = ref Object(obj);
        var level = Node(from).Level;
        var index = Node(from).FirstIndex;
        if (level == 0 || level > record.Height) return false;
        var parent = 0UL;
        var node = record.RootNode;
        for (var at = record.Height; at > level; at--)
        {
            parent = node;
            node = Node(node).Entries[RadixNode.Slot(index, at)];
            if (node == 0) return false;
        }
        if (node != from) return false;

        Unsafe.CopyBlock(host.At(to) + sizeof(ulong), host.At(from) + sizeof(ulong), RadixNode.Bytes - sizeof(ulong));
        for (var slot = 0; level == 1 && slot < RadixNode.Fanout; slot++)
        {
            if (Node(to).Entries[slot] != 0) binder.Bind(Node(to).Entries[slot], LeafIn(to, slot));
        }
        Volatile.Write(ref Node(to).Header, RadixNode.MakeHeader(obj, level));
        if (parent == 0) Volatile.Write(ref record.Root, ObjectRecord.MakeRoot(to, level));
        else Volatile.Write(ref Node(parent).Entries[RadixNode.Slot(index, level + 1)], to);
        return true;
    }

    /// <summary>Points the nodes and the page of a moved object to its new place.</summary>
    public void Reown(ulong obj)
    {
        ref var record = ref Object(obj);
        if (record.Height > 0) ReownBelow(record.RootNode, obj, record.Height);
        else if (record.Page0 != 0) binder.Bind(record.Page0, obj + ObjectRecord.Page0Offset);
    }

    private void ReownBelow(ulong place, ulong obj, int level)
    {
        ref var node = ref Node(place);
        Volatile.Write(ref node.Header, RadixNode.MakeHeader(obj, level));
        for (var slot = 0; level > 1 && slot < RadixNode.Fanout; slot++)
        {
            if (node.Entries[slot] != 0) ReownBelow(node.Entries[slot], obj, level - 1);
        }
    }

    private bool NextBelow(ulong place, int level, uint from, out uint found)
    {
        ref var node = ref Node(place);
        for (var slot = RadixNode.Slot(from, level); slot < RadixNode.Fanout; slot++)
        {
            var entry = node.Entries[slot];
            if (entry == 0) continue;
            var first = node.FirstIndex + ((uint)slot << (level - 1) * RadixNode.Shift);
            if (level == 1)
            {
                found = first;
                return true;
            }
            if (NextBelow(entry, level - 1, Math.Max(from, first), out found)) return true;
        }
        found = 0;
        return false;
    }

    /// <summary>Makes the tree high enough for an index.</summary>
    private bool Grow(ulong obj, uint index, ref int nodes)
    {
        var need = RadixNode.HeightFor(index);
        ref var record = ref Object(obj);
        if (record.Height >= need) return true;
        if (record.Height == 0 && record.Page0 == 0)
        {
            var root = NewNode(obj, need, 0);
            if (root == 0) return false;
            nodes++;
            Volatile.Write(ref record.Root, ObjectRecord.MakeRoot(root, need));
            return true;
        }
        while (record.Height < need)
        {
            var level = record.Height + 1;
            var above = NewNode(obj, level, 0);
            if (above == 0) return false;
            nodes++;
            if (level == 1)
            {
                // The page at index 0 moves from the object into the new node.
                Node(above).Entries[0] = record.Page0;
                binder.Bind(record.Page0, LeafIn(above, 0));
            }
            else
            {
                Node(above).Entries[0] = record.RootNode;
            }
            Node(above).Used = 1;
            Volatile.Write(ref record.Root, ObjectRecord.MakeRoot(above, level));
            record.Page0 = 0;
        }
        return true;
    }

    /// <summary>
    /// Frees empty nodes on the path to an index, from the lowest up, then lowers the root as far as possible. Returns the number
    /// freed.
    /// </summary>
    private int Prune(ulong obj, uint index)
    {
        ref var record = ref Object(obj);
        var height = record.Height;
        var freed = 0;
        if (height > 0)
        {
            var path = stackalloc ulong[RadixNode.MaximumHeight + 1];
            var lowest = height;
            path[height] = record.RootNode;
            while (lowest > 1)
            {
                var child = Node(path[lowest]).Entries[RadixNode.Slot(index, lowest)];
                if (child == 0) break;
                path[--lowest] = child;
            }
            for (var level = lowest; level <= height && Node(path[level]).Used == 0; level++)
            {
                if (level == height)
                {
                    Volatile.Write(ref record.Root, 0);
                }
                else
                {
                    ref var parent = ref Node(path[level + 1]);
                    Volatile.Write(ref parent.Entries[RadixNode.Slot(index, level + 1)], 0);
                    parent.Used--;
                }
                host.FreeNode(path[level]);
                freed++;
            }
        }
        return freed + Lower(ref record, obj);
    }

    private int Lower(ref ObjectRecord record, ulong obj)
    {
        var freed = 0;
        while (record.Height > 0)
        {
            var root = record.RootNode;
            ref var node = ref Node(root);
            if (node.Used != 1 || node.Entries[0] == 0) break;
            var height = record.Height - 1;
            if (height == 0)
            {
                record.Page0 = node.Entries[0];
                binder.Bind(record.Page0, obj + ObjectRecord.Page0Offset);
                Volatile.Write(ref record.Root, 0);
            }
            else
            {
                Volatile.Write(ref record.Root, ObjectRecord.MakeRoot(node.Entries[0], height));
            }
            host.FreeNode(root);
            freed++;
        }
        return freed;
    }

    private ulong NewNode(ulong obj, int level, uint firstIndex)
    {
        var place = host.AllocateNode();
        if (place == 0) return 0;
        ref var node = ref Node(place);
        new Span<byte>(host.At(place) + sizeof(ulong), RadixNode.Bytes - sizeof(ulong)).Clear();
        node.FirstIndex = firstIndex;
        Volatile.Write(ref node.Header, RadixNode.MakeHeader(obj, level));
        return place;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref RadixNode Node(ulong place) => ref *(RadixNode*)host.At(place);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref ObjectRecord Object(ulong place) => ref *(ObjectRecord*)host.At(place);

    private ref RadixNode NodeOf(ulong leaf) => ref Node(host.NodeOfLeaf(leaf));

    private static ulong LeafIn(ulong node, int slot) => node + RadixNode.EntriesOffset + (ulong)slot * sizeof(ulong);
}
