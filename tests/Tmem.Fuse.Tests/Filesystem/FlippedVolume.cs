using System.Globalization;
using System.Text;
using Tmds.Linux;
using Tmem.Engine;
using Tmem.Engine.Format;
using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// A populated file system in which one bit of one record flips, or a word of its header is overwritten, in use or before the
/// next process attaches. It must then keep working: every call ends, with the right answer or an error, and everything but the
/// damaged thing is as it was.
/// </summary>
internal sealed unsafe class FlippedVolume : IDisposable
{
    private readonly int _descriptor = SharedMemory.Create("flipped", 0, out _, out _);
    private readonly Random _random;
    private readonly Dictionary<string, byte[]> _contents = [];
    private readonly byte[] _buffer = new byte[1 << 16];
    private TmemEngine _engine;
    private TmemFileSystem _files;
    private bool _flippedRoot;

    public FlippedVolume(int seed)
    {
        _random = new Random(seed);
        _engine = Open();
        _files = new TmemFileSystem(_engine, Client);
        Fill();
    }

    private TmemClient Client => _engine.Client(new TmemClientId(1));
    private RecordStore Records => _engine.Records;

    /// <summary>The flipped bit, for the failure's message.</summary>
    public string Flipped { get; private set; } = "";

    /// <summary>The outcome: "intact" or "named".</summary>
    public string Outcome { get; private set; } = "intact";

    public void Dispose()
    {
        _engine.Dispose();
        _ = LibC.close(_descriptor);
    }

    private TmemEngine Open() => TmemEngine.Open(
        new EngineOptions { CapacityBytes = 4 << 20, RegionDescriptor = LibC.dup(_descriptor), CompactInBackground = false });

    private void Fill()
    {
        foreach (var (pool, flags) in ((string, PoolFlags)[])[("p", PoolFlags.Persistent), ("e", PoolFlags.None)])
        {
            Assert.Equal(Errno.Ok, _files.CreatePool(pool, new PoolOptions(flags, 2 << 20), 0x1ED, out _));
            foreach (var directory in (string[])["", "/d", "/d/e", "/x"])
            {
                var path = $"{pool}{directory}";
                if (directory.Length > 0)
                    Made(_files.MakeDirectory(TestVolume.Root, Parent(path, out var name), name, 0x1ED, out _));
                for (var i = 0; i < 4; i++) MakeFile($"{path}/f{i}");
                Made(_files.SymbolicLink(TestVolume.Root, Parent($"{path}/l", out var link), link,
                    Encoding.UTF8.GetBytes($"to {path}"), out _));
            }
            Made(_files.Link(TestVolume.Root, Find($"{pool}/f1"), Parent($"{pool}/x/hard", out var hard), hard, out _));
        }
    }

    private void MakeFile(string path)
    {
        Made(_files.MakeNode(TestVolume.Root, Parent(path, out var name), name, InodeMode.Regular | 0x1A4, 0, out var entry));
        var contents = TestVolume.Noise(_random.Next(1, 9000), _random.Next());
        Assert.Equal(Errno.Ok, _files.Write(TestVolume.Root, new NodeId(entry.NodeId), 0, 0, contents, 0, out _, out _));
        for (var i = _random.Next(3); i > 0; i--)
            Assert.Equal(Errno.Ok, _files.SetExtendedAttribute(TestVolume.Root, new NodeId(entry.NodeId),
                Encoding.UTF8.GetBytes($"user.{i}"), Encoding.UTF8.GetBytes(path), 0));
        _contents.Add(path, contents);
        // The kernel knows half of them when the bit flips.
        if (_random.Next(2) == 0) _files.Forget(TestVolume.Root, new NodeId(entry.NodeId), 1);
    }

    private static void Made(Errno error) => Assert.Equal(Errno.Ok, error);

    private NodeId Parent(string path, out byte[] name)
    {
        var cut = path.LastIndexOf('/');
        name = Encoding.UTF8.GetBytes(path[(cut + 1)..]);
        return cut < 0 ? NodeId.Root : Find(path[..cut]);
    }

    private NodeId Find(string path)
    {
        Assert.Equal(Errno.Ok, TryFind(path, out var node));
        return node;
    }

    private Errno TryFind(string path, out NodeId node)
    {
        node = NodeId.Root;
        foreach (var name in path.Split('/'))
        {
            var parent = node;
            FuseEntryOut entry = default;
            var error = Call(() => _files.Lookup(TestVolume.Root, parent, Encoding.UTF8.GetBytes(name), out entry));
            if (error != Errno.Ok) return error;
            node = new NodeId(entry.NodeId);
        }
        return Errno.Ok;
    }

    /// <summary>As the dispatcher does: an operation that meets a damaged record answers EIO.</summary>
    private static Errno Call(Func<Errno> operation)
    {
        try
        {
            return operation();
        }
        catch (DamagedRecordException)
        {
            return Errno.EIO;
        }
    }

    /// <summary>Flips a bit of a word of a record in use; in headers and payloads alike, also where the word is 0.</summary>
    public void Flip()
    {
        var spans = _engine.Slabs.Spans;
        while (true)
        {
            var span = (uint)_random.Next((int)spans.HighWater);
            ref var entry = ref spans.Table[span];
            if (entry.Kind != SpanKind.Records) continue;
            var size = SizeClasses.Size(entry.Class);
            var place = spans.PlaceOf(span) + (ulong)(_random.Next(entry.Bump) * size);
            var words = (ulong*)_engine.Slabs.At(place);
            if (words[0] == 0) continue;
            var kind = (byte)(words[1] >> 8);
            // Journal and answers are large and mostly stale, and roots are few, in a span of their own: their share is small.
            if (kind is RecordKind.Journal or RecordKind.Answers or RecordKind.Root && _random.Next(8) != 0) continue;
            _flippedRoot = kind == RecordKind.Inode && place >> 4 == Records.Get<RootRecord>(Records.Root).RootInode;
            var word = _random.Next(2) == 0 ? _random.Next(Math.Min(size / 8, 22)) : _random.Next(size / 8);
            var bit = _random.Next(64);
            words[word] ^= 1UL << bit;
            // A header of which more is gone: what is left must not look like that of a free slot, which nobody misses.
            if (word < 2 && _random.Next(2) == 0) words[word] = (ulong)_random.NextInt64(long.MaxValue) << 1 | 1;
            Flipped = string.Create(CultureInfo.InvariantCulture,
                $"bit {bit} of word {word} of record {place >> 4}, kind {kind}");
            return;
        }
    }

    /// <summary>The next process.</summary>
    public void TakeUp()
    {
        _engine.Dispose();
        _engine = Open();
        _files = new TmemFileSystem(_engine, Client);
        if (_files.Damage.Any) Outcome = "named";
    }

    /// <summary>
    /// Reads everything. Only one file may differ or, if it is a directory, its contents; and <c>check</c> names what is lost.
    /// </summary>
    /// <param name="inUse">
    /// The bit flips in a running file system: links that it has derived may lead nowhere, and names beyond them are out of reach
    /// until the next process.
    /// </param>
    public void ReadAll(bool inUse)
    {
        var gone = new List<string>();
        var other = new List<string>();
        foreach (var (path, contents) in _contents)
        {
            if (TryFind(path, out var node) != Errno.Ok)
            {
                gone.Add(path);
                continue;
            }
            Call(() => _files.GetAttributes(node, out _));
            var length = 0;
            var error = Call(() => _files.Read(node, 0, 0, _buffer, 0, out length));
            if (error != Errno.Ok || !_buffer.AsSpan(0, length).SequenceEqual(contents)) other.Add(path);
            // Whatever its size has become: every byte is one that was stored there.
            if (error == Errno.Ok)
            {
                var same = Math.Min(length, contents.Length);
                Assert.True(_buffer.AsSpan(0, same).SequenceEqual(contents.AsSpan(0, same)), $"{path} has another's contents");
            }
            var name = "user.1"u8.ToArray();
            if (Call(() => _files.GetExtendedAttribute(node, name, _buffer, out length)) == Errno.Ok)
                Assert.Equal(path, Encoding.UTF8.GetString(_buffer, 0, length));
            Call(() => _files.ListExtendedAttributes(TestVolume.Root, node, _buffer, out _));
        }
        foreach (var path in (string[])["p/l", "p/d/l", "e/x/l"])
        {
            var length = 0;
            if (TryFind(path, out var node) != Errno.Ok || Call(() => _files.ReadLink(node, _buffer, out length)) != Errno.Ok)
                continue;
            Assert.Equal($"to {path[..^2]}", Encoding.UTF8.GetString(_buffer, 0, length));
        }
        var problems = _files.Verify();
        if (problems.Count > 0) Outcome = "named";
        // The directory that holds everything.
        if (inUse || _flippedRoot) return;
        Assert.True(other.Count <= 1, $"more than one file is not as it was: {string.Join(' ', other)}");
        if (gone.Count == 0) return;
        var subtree = gone[0].Split('/');
        for (var depth = subtree.Length; depth > 0 && !gone.TrueForAll(path => Below(path, subtree, depth)); depth--)
            Assert.True(depth > 1, $"more was lost than one name: {string.Join(' ', gone)}");
        Assert.True(problems.Count > 0, $"nothing names the loss of {string.Join(' ', gone)}");

        static bool Below(string path, string[] ancestor, int depth) => path == string.Join('/', ancestor[..depth])
            || path.StartsWith(string.Join('/', ancestor[..depth]) + "/", StringComparison.Ordinal);
    }

    /// <summary>All kinds of changes, everywhere; then the pools are destroyed.</summary>
    public void ChangeAll()
    {
        foreach (var pool in (string[])["p", "e"])
        {
            foreach (var directory in (string[])["", "/d", "/d/e", "/x", "/lost+found"])
            {
                if (TryFind($"{pool}{directory}", out var node) != Errno.Ok) continue;
                Call(() => List(node, plus: false));
                Call(() => List(node, plus: true));
                NodeId made = default;
                Call(() =>
                {
                    var error = _files.Create(TestVolume.Root, node, "new"u8, 0, 0x1A4, 0, out var entry, out var open);
                    made = new NodeId(entry.NodeId);
                    return error;
                });
                Call(() => _files.SetExtendedAttribute(TestVolume.Root, made, "user.a"u8, "1"u8, 0));
                Call(() => _files.Rename(TestVolume.Root, node, "new"u8, node, "f0"u8, 0));
                Call(() => _files.Rename(TestVolume.Root, node, "f1"u8, node, "f2"u8, 2));
                Call(() => _files.Link(TestVolume.Root, made, node, "again"u8, out _));
                Call(() => _files.Unlink(TestVolume.Root, node, "f1"u8));
                Call(() => _files.RemoveExtendedAttribute(TestVolume.Root, made, "user.a"u8));
                Call(() => { _files.Release(TestVolume.Root, made, made.Value); return Errno.Ok; });
                Call(() => { _files.Forget(TestVolume.Root, made, 2); return Errno.Ok; });
                Call(() => _files.RemoveDirectory(TestVolume.Root, node, "e"u8));
            }
        }
        _files.Verify();
        foreach (var pool in _files.Pools()) _files.DestroyPool(pool.Name, force: true);
        _files.DropKernelReferences();
        foreach (var pool in _files.Pools()) _files.DestroyPool(pool.Name, force: true);
        _files.Verify();
        _engine.Verify();
    }

    private Errno List(NodeId directory, bool plus)
    {
        for (ulong cookie = 0; ;)
        {
            var writer = new DirectoryWriter(_buffer.AsSpan(0, 4096), plus);
            var error = _files.ReadDirectory(TestVolume.Root, directory, 0, cookie, ref writer);
            if (error != Errno.Ok || writer.Length == 0) return error;
            var next = LastCookie(_buffer.AsSpan(0, writer.Length), plus);
            Assert.True(next > cookie, "a listing goes back");
            cookie = next;
        }
    }

    private static ulong LastCookie(ReadOnlySpan<byte> reply, bool plus)
    {
        ulong cookie = 0;
        var skip = plus ? 128 : 0;
        while (!reply.IsEmpty)
        {
            cookie = BitConverter.ToUInt64(reply[(skip + 8)..]);
            reply = reply[(skip + 24 + BitConverter.ToInt32(reply[(skip + 16)..]) + 7 & ~7)..];
        }
        return cookie;
    }
}
