using CsCheck;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// Sequences of operations on a tree of files against a model of dictionaries and byte arrays: every answer, then all names,
/// contents, attributes and holes, and both verifiers. Names collide in their hash, and the file system is rebuilt from its
/// records now and then.
/// </summary>
public sealed class FileSystemModelTests
{
    private const int MaximumSize = 9 * TestVolume.Page;
    private static readonly string[] s_names = ["a", "b", "c", "d", "e"];

    private enum Operation { File, Directory, Write, Truncate, Punch, Zero, Extend, Read, Rename, Unlink, RemoveDirectory, Link,
        SeekData, SeekHole, Attribute, Attach }

    private sealed record Step(Operation Operation, int Directory, int Name, int OtherDirectory, int OtherName, int Offset,
        int Length, int Seed);

    private static readonly Gen<Operation> s_operation = Gen.Frequency(
        (4, Gen.Const(Operation.File)), (3, Gen.Const(Operation.Directory)), (10, Gen.Const(Operation.Write)),
        (3, Gen.Const(Operation.Truncate)), (4, Gen.Const(Operation.Punch)), (2, Gen.Const(Operation.Zero)),
            (1, Gen.Const(Operation.Extend)),
        (5, Gen.Const(Operation.Read)), (6, Gen.Const(Operation.Rename)), (2, Gen.Const(Operation.Unlink)),
        (1, Gen.Const(Operation.RemoveDirectory)), (2, Gen.Const(Operation.Link)), (2, Gen.Const(Operation.SeekData)),
        (2, Gen.Const(Operation.SeekHole)), (3, Gen.Const(Operation.Attribute)), (1, Gen.Const(Operation.Attach)));

    // Page boundaries and their neighbours more often than other places.
    private static readonly Gen<int> s_place = Gen.OneOf(
        Gen.Int[0, 6].Select(page => page * TestVolume.Page), Gen.Int[0, MaximumSize / 2],
        Gen.Select(Gen.Int[1, 6], Gen.Int[-2, 2], (page, near) => page * TestVolume.Page + near));

    private static readonly Gen<Step> s_step = Gen.Select(
        s_operation, Gen.Int[0, 5], Gen.Int[0, 4], Gen.Int[0, 5], Gen.Int[0, 4], s_place, s_place, Gen.Int[0, 1000],
        (operation, directory, name, other, otherName, offset, length, seed) =>
            new Step(operation, directory, name, other, otherName, offset, Math.Min(length, MaximumSize - offset), seed));

    [Fact]
    public void A_file_system_is_a_tree_of_byte_arrays() => s_step.List[1, 250].Sample(Run, iter: 400, threads: 1);

    private sealed class Node
    {
        public Node? Parent;
        public Dictionary<string, Node>? Children;
        public byte[] Data = new byte[MaximumSize + TestVolume.Page];
        public int Size;
        public int Links = 1;
        public HashSet<int> Pages = [];
        public Dictionary<string, byte[]> Attributes = [];

        public bool IsDirectory => Children is not null;

        public bool IsWithin(Node ancestor)
        {
            for (var at = this; at is not null; at = at.Parent) if (at == ancestor) return true;
            return false;
        }

        public void Clear(int from, int end)
        {
            for (var page = from / TestVolume.Page; page * TestVolume.Page < end; page++)
            {
                var start = Math.Max(from, page * TestVolume.Page);
                var stop = Math.Min(end, (page + 1) * TestVolume.Page);
                var whole = stop - start == TestVolume.Page;
                var range = Data.AsSpan(start..stop);
                var wasZero = !range.ContainsAnyExcept((byte)0);
                range.Clear();
                var empty = !Data.AsSpan(page * TestVolume.Page, TestVolume.Page).ContainsAnyExcept((byte)0);
                if (whole || (!wasZero && empty)) Pages.Remove(page);
            }
        }
    }

    private sealed class State(TestVolume volume, NodeId pool)
    {
        public TestVolume Volume { get; } = volume;
        public NodeId Pool { get; } = pool;
        public Node Root { get; } = new() { Children = [], Links = 2 };

        public List<Node> Directories()
        {
            var all = new List<Node> { Root };
            for (var i = 0; i < all.Count; i++)
                all.AddRange(all[i].Children!.OrderBy(child => child.Key, StringComparer.Ordinal).Select(child => child.Value)
                    .Where(child => child.IsDirectory));
            return all;
        }

        public NodeId NodeOf(Node directory)
        {
            if (directory == Root) return Pool;
            var name = directory.Parent!.Children!.First(child => child.Value == directory).Key;
            return Volume.Find(NodeOf(directory.Parent), name);
        }
    }

    private static void Run(List<Step> steps)
    {
        using var volume = new TestVolume(hashMask: 3);
        var state = new State(volume, volume.Pool());
        foreach (var step in steps)
        {
            if (step.Operation == Operation.Attach)
            {
                volume.Attach();
                continue;
            }
            var directories = state.Directories();
            var directory = directories[step.Directory % directories.Count];
            Apply(state, step, directory, directories[step.OtherDirectory % directories.Count]);
        }
        Compare(state);
        volume.AssertSound();
        volume.Attach();
        volume.Files.DropKernelReferences();
        Compare(state);
        volume.AssertSound();
        Assert.Equal(Errno.Ok, volume.Files.DestroyPool("p", force: true));
        volume.Files.DropKernelReferences();
        Assert.Equal(0, volume.Engine.Statistics().Total.Pages);
        volume.AssertSound();
    }

    private static void Apply(State state, Step step, Node directory, Node otherDirectory)
    {
        var volume = state.Volume;
        var name = s_names[step.Name];
        var parent = state.NodeOf(directory);
        directory.Children!.TryGetValue(name, out var node);
        switch (step.Operation)
        {
            case Operation.File:
                Assert.Equal(node is null ? Errno.Ok : Errno.EEXIST, volume.TryFile(parent, name, out _));
                if (node is null) directory.Children[name] = new Node();
                return;
            case Operation.Directory:
                Assert.Equal(node is null ? Errno.Ok : Errno.EEXIST,
                    volume.Files.MakeDirectory(TestVolume.Root, parent, TestVolume.Bytes(name), 0x1ED, out _));
                if (node is not null) return;
                directory.Children[name] = new Node { Parent = directory, Children = [], Links = 2 };
                directory.Links++;
                return;
            case Operation.Unlink:
                Assert.Equal(node is null ? Errno.ENOENT : node.IsDirectory ? Errno.EISDIR : Errno.Ok,
                    volume.Unlink(parent, name));
                if (node is not { IsDirectory: false }) return;
                node.Links--;
                directory.Children.Remove(name);
                return;
            case Operation.RemoveDirectory:
                var expected = node is null ? Errno.ENOENT : !node.IsDirectory ? Errno.ENOTDIR : node.Children!.Count > 0
                    ? Errno.ENOTEMPTY : Errno.Ok;
                Assert.Equal(expected, volume.RemoveDirectory(parent, name));
                if (expected != Errno.Ok) return;
                directory.Links--;
                directory.Children.Remove(name);
                return;
            case Operation.Link:
                ApplyLink(state, step, directory, node, otherDirectory);
                return;
            case Operation.Rename:
                ApplyRename(state, step, directory, node, otherDirectory);
                return;
            default:
                if (node is null) Assert.Equal(Errno.ENOENT, volume.TryFind(parent, name, out _));
                else ApplyToFile(volume, step, node, volume.Find(parent, name));
                return;
        }
    }

    private static void ApplyLink(State state, Step step, Node directory, Node? node, Node otherDirectory)
    {
        if (node is null) return;
        var other = s_names[step.OtherName];
        var expected = node.IsDirectory ? Errno.EPERM : otherDirectory.Children!.ContainsKey(other) ? Errno.EEXIST : Errno.Ok;
        var found = state.Volume.Find(state.NodeOf(directory), s_names[step.Name]);
        Assert.Equal(expected, state.Volume.Link(found, state.NodeOf(otherDirectory), other));
        if (expected != Errno.Ok) return;
        node.Links++;
        otherDirectory.Children![other] = node;
    }

    private static void ApplyRename(State state, Step step, Node directory, Node? node, Node otherDirectory)
    {
        var name = s_names[step.Name];
        var other = s_names[step.OtherName];
        var flags = (uint)(step.Seed % 3);
        otherDirectory.Children!.TryGetValue(other, out var target);
        var expected = ExpectedRename(directory, node, otherDirectory, target, flags);
        Assert.Equal(expected, state.Volume.Rename(state.NodeOf(directory), name, state.NodeOf(otherDirectory), other, flags));
        if (expected != Errno.Ok || target == node) return;
        if (flags == 2)
        {
            directory.Children![name] = target!;
            Settle(target!, otherDirectory, directory);
        }
        else
        {
            if (target is not null) target.Links--;
            if (target is { IsDirectory: true }) otherDirectory.Links--;
            directory.Children!.Remove(name);
        }
        otherDirectory.Children[other] = node!;
        Settle(node!, directory, otherDirectory);

        static void Settle(Node moved, Node from, Node to)
        {
            if (!moved.IsDirectory) return;
            moved.Parent = to;
            from.Links--;
            to.Links++;
        }
    }

    private static Errno ExpectedRename(Node directory, Node? node, Node otherDirectory, Node? target, uint flags)
    {
        if (node is null) return Errno.ENOENT;
        if (otherDirectory.IsWithin(node)) return Errno.EINVAL;
        if (target is null) return flags == 2 ? Errno.ENOENT : Errno.Ok;
        if (flags == 1) return Errno.EEXIST;
        if (target == node) return Errno.Ok;
        if (flags == 2) return directory.IsWithin(target) ? Errno.EINVAL : Errno.Ok;
        if (!target.IsDirectory) return node.IsDirectory ? Errno.ENOTDIR : Errno.Ok;
        if (!node.IsDirectory) return Errno.EISDIR;
        return target.Children!.Count > 0 ? Errno.ENOTEMPTY : Errno.Ok;
    }

    private static void ApplyToFile(TestVolume volume, Step step, Node node, NodeId found)
    {
        if (step.Operation == Operation.Attribute)
        {
            var key = "user." + s_names[step.OtherName];
            var value = TestVolume.Noise(step.Seed, step.Seed);
            if (step.Seed % 3 == 0)
            {
                Assert.Equal(node.Attributes.Remove(key) ? Errno.Ok : Errno.ENODATA,
                    volume.Files.RemoveExtendedAttribute(TestVolume.Root, found, TestVolume.Bytes(key)));
                return;
            }
            Assert.Equal(Errno.Ok, volume.SetAttribute(found, key, value));
            node.Attributes[key] = value;
            return;
        }
        if (node.IsDirectory)
        {
            Assert.Equal(Errno.EISDIR, volume.TryRead(found, 0, 10, out _));
            Assert.Equal(Errno.EISDIR, volume.Truncate(found, 0));
            return;
        }
        var (offset, length, end) = (step.Offset, step.Length, step.Offset + step.Length);
        switch (step.Operation)
        {
            case Operation.Write:
                // One in four is zeros, which are stored all the same.
                var data = step.Seed % 4 == 0 ? new byte[length] : TestVolume.Noise(length, step.Seed);
                volume.Write(found, (ulong)offset, data);
                data.CopyTo(node.Data, offset);
                if (length == 0) return;
                node.Size = Math.Max(node.Size, end);
                for (var page = offset / TestVolume.Page; page * TestVolume.Page < end; page++) node.Pages.Add(page);
                return;
            case Operation.Truncate:
                Assert.Equal(Errno.Ok, volume.Truncate(found, (ulong)offset));
                if (offset < node.Size) node.Clear(offset, node.Data.Length);
                node.Size = offset;
                return;
            case Operation.Punch or Operation.Zero or Operation.Extend:
                var mode = step.Operation switch { Operation.Punch => 3u, Operation.Zero => 0x10u | (uint)(step.Seed & 1),
                    _ => (uint)(step.Seed & 1) };
                Assert.Equal(length == 0 ? Errno.EINVAL : mode > 1 ? Errno.Ok : Errno.EOPNOTSUPP,
                    volume.Files.Allocate(TestVolume.Root, found, 0, (ulong)offset, (ulong)length, mode));
                if (length == 0 || mode <= 1) return;
                node.Clear(offset, end >= node.Size ? (end + TestVolume.Page - 1) / TestVolume.Page * TestVolume.Page : end);
                if ((mode & 1) == 0) node.Size = Math.Max(node.Size, end);
                return;
            case Operation.Read:
                Assert.Equal(Expected(node, offset, length), volume.Read(found, (ulong)offset, length));
                return;
            default:
                CheckSeek(volume, step, node, found);
                return;
        }
    }

    private static byte[] Expected(Node node, int offset, int length) =>
        offset >= node.Size ? [] : node.Data[offset..Math.Min(node.Size, offset + length)];

    private static void CheckSeek(TestVolume volume, Step step, Node node, NodeId found)
    {
        var seekData = step.Operation == Operation.SeekData;
        var error = volume.Files.Seek(found, 0, (ulong)step.Offset, seekData ? 3u : 4u, out var place);
        var at = step.Offset;
        while (at < node.Size && node.Pages.Contains(at / TestVolume.Page) != seekData)
            at = (at / TestVolume.Page + 1) * TestVolume.Page;
        if (step.Offset >= node.Size || (seekData && at >= node.Size)) Assert.Equal(Errno.ENXIO, error);
        else Assert.Equal((Errno.Ok, (ulong)Math.Min(at, node.Size)), (error, place));
    }

    private static void Compare(State state)
    {
        foreach (var directory in state.Directories())
        {
            var node = state.NodeOf(directory);
            Assert.Equal((uint)directory.Links, state.Volume.Attributes(node).Nlink);
            var listed = state.Volume.List(node);
            Assert.Equal(directory.Children!.Keys.Order(StringComparer.Ordinal),
                listed.Select(one => one.Name).Order(StringComparer.Ordinal));
            foreach (var one in listed)
            {
                var child = directory.Children[one.Name];
                Assert.Equal(child.IsDirectory ? 4u : 8u, one.Type);
                CompareNode(state.Volume, child, new NodeId(one.Inode));
            }
        }
    }

    private static void CompareNode(TestVolume volume, Node child, NodeId node)
    {
        Assert.Equal(child.Attributes.Keys.Order(StringComparer.Ordinal),
            volume.AttributeNames(node).Order(StringComparer.Ordinal));
        foreach (var (name, value) in child.Attributes)
        {
            Assert.Equal(Errno.Ok, volume.GetAttribute(node, name, out var stored));
            Assert.Equal(value, stored);
        }
        if (child.IsDirectory) return;
        var attributes = volume.Attributes(node);
        Assert.Equal(((uint)child.Links, (ulong)child.Size, (ulong)child.Pages.Count * 8),
            (attributes.Nlink, attributes.Size, attributes.Blocks));
        Assert.Equal(Expected(child, 0, MaximumSize), volume.Read(node, 0, MaximumSize + 100));
    }
}
