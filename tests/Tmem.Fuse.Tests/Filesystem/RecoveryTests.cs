using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;
using Tmem.Fuse.Abi;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Native;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>
/// The test makes by hand what a process leaves when it dies between two stores, step by step, on the records; then another file
/// system attaches to the region.
/// </summary>
public sealed class RecoveryTests : IDisposable
{
    private readonly TestVolume _volume = new();
    private readonly NodeId _pool;

    public RecoveryTests() => _pool = _volume.Pool();

    public void Dispose()
    {
        _volume.AssertSound();
        _volume.Dispose();
    }

    private RecordStore Records => _volume.Engine.Records;
    private ref RootRecord Volume => ref Records.Get<RootRecord>(Records.Root);
    private ref InodeRecord Inode(NodeId node) => ref Records.Get<InodeRecord>(new RecordRef(node.Value));

    /// <summary>Frees records that were taken and not committed, as attaching the engine would.</summary>
    private readonly List<RecordRef> _uncommitted = [];

    private void AttachAsAfterAMount()
    {
        _uncommitted.ForEach(Records.Free);
        _uncommitted.Clear();
        _volume.Attach();
        _volume.AssertSound();
        _volume.Files.DropKernelReferences();
        _volume.AssertSound();
    }

    private RecordRef Entry(NodeId parent, string name)
    {
        var found = RecordRef.None;
        Records.ForEach(RecordKind.Entry, entry =>
        {
            var record = Records.Get<EntryRecord>(entry);
            var bytes = Records.Bytes(entry).Slice(Unsafe.SizeOf<EntryRecord>(), (int)record.NameLength);
            if (record.Parent == parent.Value && bytes.SequenceEqual(TestVolume.Bytes(name))) found = entry;
        });
        Assert.False(found.IsNone);
        return found;
    }

    private RecordRef AddEntry(ulong parent, ulong child, ulong key, string name, bool commit = true)
    {
        Assert.Equal(TmemStatus.Ok,
            Records.Allocate(RecordKind.Entry, Unsafe.SizeOf<EntryRecord>() + name.Length, out var entry));
        ref var record = ref Records.Get<EntryRecord>(entry);
        record.Key = key;
        record.Parent = parent;
        record.Child = child;
        record.SumAndLength = (uint)name.Length;
        TestVolume.Bytes(name).CopyTo(Records.Bytes(entry)[Unsafe.SizeOf<EntryRecord>()..]);
        record.SumAndLength = RecordSum.OfEntry(Records, entry, child);
        if (commit) Records.Commit(entry);
        else _uncommitted.Add(entry);
        return entry;
    }

    private ulong KeyOf(string name) =>
        NameHash.FirstKey(new NameHash(in Volume.HashKey, NameHash.Full).Of(TestVolume.Bytes(name))) | 1;

    [Fact]
    public void A_file_of_this_process_is_there_in_the_next()
    {
        var path = Path.Combine(Path.GetTempPath(), $"tmem-fs-{Environment.ProcessId}-{Guid.NewGuid():N}.region");
        try
        {
            var data = TestVolume.Noise(100_000, 1);
            FuseAttr before;
            using (var volume = new TestVolume(path: path))
            {
                var directory = volume.Directory(volume.Pool("p", limit: 10 << 20), "d");
                var file = volume.File(directory, "f", data);
                Assert.Equal(Errno.Ok, volume.Link(file, directory, "g"));
                Assert.Equal(Errno.Ok, volume.SetAttribute(file, "user.a", "value"u8));
                Assert.Equal(Errno.Ok, volume.Files.SymbolicLink(TestVolume.Root, directory, "l"u8, "target"u8, out _));
                Assert.Equal(Errno.Ok, volume.Set(file,
                    new FuseSetattrIn { Valid = FuseSetattrValid.Mode | FuseSetattrValid.Uid, Mode = 0x180, Uid = 9 }));
                volume.File(volume.Pool("e", PoolFlags.None), "x", data);
                before = volume.Attributes(file);
            }
            using (var volume = new TestVolume(path: path))
            {
                Assert.True(volume.Engine.Attached);
                volume.Files.DropKernelReferences();
                volume.AssertSound();
                Assert.Equal(["e", "p"], volume.Files.Pools().Select(pool => pool.Name));
                Assert.Equal(10 << 20, volume.Files.Pools()[1].Options.LimitBytes);
                var directory = volume.Find(volume.Find(NodeId.Root, "p"), "d");
                var file = volume.Find(directory, "g");
                Assert.Equal(before, volume.Attributes(file));
                Assert.Equal(data, volume.Read(file, 0, 200_000));
                Assert.Equal(Errno.Ok, volume.GetAttribute(file, "user.a", out var value));
                Assert.Equal("value"u8.ToArray(), value);
                var buffer = new byte[100];
                Assert.Equal(Errno.Ok, volume.Files.ReadLink(volume.Find(directory, "l"), buffer, out var length));
                Assert.Equal("target"u8.ToArray(), buffer[..length]);
                var ephemeral = volume.Find(volume.Find(NodeId.Root, "e"), "x");
                Assert.Equal(Errno.Ok, volume.Files.Allocate(TestVolume.Root, ephemeral, 0, 0, 4096, 3));
                Assert.Equal(Errno.ENODATA, volume.TryRead(ephemeral, 0, 1, out _));
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Nodes_generations_and_open_nameless_files_stay_until_a_new_mount()
    {
        var file = _volume.File(_pool, "f", "contents"u8);
        var known = _volume.File(_pool, "known");
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.Root, file, 0, 0, out _));
        Assert.Equal(Errno.Ok, _volume.Unlink(_pool, "f"));
        _volume.Attach();
        _volume.AssertSound();
        Assert.Equal("contents"u8.ToArray(), _volume.Read(file, 0, 100));
        Assert.Equal(Errno.EBUSY, _volume.Files.DestroyPool("p", force: true));
        Assert.Equal(known, _volume.Find(_pool, "known"));
        _volume.Files.DropKernelReferences();
        Assert.Equal(Errno.ESTALE, _volume.TryRead(file, 0, 100, out _));
        Assert.Equal(0, _volume.Engine.Statistics().Total.Pages);
    }

    [Fact]
    public void An_inode_without_its_entry_is_freed()
    {
        var before = Count();
        var file = _volume.File(_pool, "f", "contents"u8);
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.a", "1"u8));
        Records.Free(Entry(_pool, "f"));
        AttachAsAfterAMount();
        Assert.Equal(before, Count());
        Assert.Equal(0, _volume.Engine.Statistics().Total.Pages);

        int Count()
        {
            var count = 0;
            for (byte kind = 1; kind < 10; kind++) Records.ForEach(kind, _ => count++);
            return count;
        }
    }

    [Fact]
    public void Entries_that_name_nothing_are_dropped()
    {
        var file = _volume.File(_pool, "f");
        var directory = _volume.Directory(_pool, "d");
        AddEntry(file.Value, directory.Value, KeyOf("1"), "1");
        AddEntry(777, file.Value, KeyOf("3"), "3");
        AddEntry(_pool.Value, file.Value, KeyOf("4"), "4", commit: false);
        AddEntry(_pool.Value, Volume.RootInode, KeyOf("5"), "5");
        AttachAsAfterAMount();
        Assert.Equal(["d", "f"], _volume.List(_pool).Select(one => one.Name).Order(StringComparer.Ordinal));
        Assert.Equal(1u, _volume.Attributes(file).Nlink);
    }

    /// <summary>A name whose inode is gone stays: a lookup of the file reports the loss.</summary>
    [Fact]
    public void An_entry_whose_inode_is_gone_says_so()
    {
        AddEntry(_pool.Value, 12345, KeyOf("2"), "2");
        _volume.Attach();
        Assert.Equal(Errno.EIO, _volume.TryFind(_pool, "2", out _));
        Assert.Equal(["2"], _volume.List(_pool).Select(one => one.Name));
        Assert.Equal("/p/2 is lost: its inode is damaged", Assert.Single(_volume.Files.Verify()));
        Assert.Equal(Errno.EEXIST, _volume.TryFile(_pool, "2", out _));
        Assert.Equal(Errno.Ok, _volume.Files.DestroyPool("p", force: true));
    }

    [Fact]
    public void Of_two_values_of_an_attribute_one_is_kept()
    {
        var file = _volume.File(_pool, "f");
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.a", "old"u8));
        Assert.Equal(TmemStatus.Ok,
            Records.Allocate(RecordKind.Attribute, Unsafe.SizeOf<AttributeRecord>() + 9, out var attribute));
        ref var record = ref Records.Get<AttributeRecord>(attribute);
        record.Owner = file.Value;
        record.Key = KeyOf("user.a") + 1;
        record.NameLength = 6;
        record.ValueLength = 3;
        "user.anew"u8.CopyTo(Records.Bytes(attribute)[Unsafe.SizeOf<AttributeRecord>()..]);
        record.Sum = RecordSum.OfAttribute(Records, attribute);
        Records.Commit(attribute);
        AttachAsAfterAMount();
        Assert.Equal(["user.a"], _volume.AttributeNames(file));
    }

    [Fact]
    public void Notes_of_a_log_that_fail_their_sum_are_not_put_back()
    {
        var file = _volume.File(_pool, "f", "contents"u8);
        ref var log = ref Records.Get<JournalRecord>(new RecordRef(Volume.Journal));
        // A count that has flipped finds the notes of finished operations; a note may name any place.
        foreach (var (count, place) in ((ulong, ulong)[])[(1, 4096), (4, Records.PlaceOf(ref Inode(file).Size)),
            (ulong.MaxValue, ulong.MaxValue)])
        {
            log.Notes[0].Place = place;
            log.Count = count;
            _volume.Attach();
            Assert.Contains("journal", Assert.Single(_volume.Files.Damage.Sentences), StringComparison.Ordinal);
            Assert.Equal("contents"u8.ToArray(), _volume.Read(file, 0, 100));
        }
        _volume.Attach();
        Assert.False(_volume.Files.Damage.Any);
    }

    [Fact]
    public void A_pool_and_its_directory_come_and_go_together()
    {
        // Made, and its directory not yet; destroyed by force, and its files not yet.
        Assert.Equal(TmemStatus.Ok, _volume.Client.NewPool(new PoolOptions(PoolFlags.Persistent), out _));
        var directory = _volume.Directory(_volume.Directory(_volume.Pool("q"), "d"), "e");
        var file = _volume.File(directory, "f", "contents"u8);
        Records.Free(Entry(new NodeId(Volume.RootInode), "q"));
        AttachAsAfterAMount();
        Assert.Equal(["p"], _volume.Files.Pools().Select(pool => pool.Name));
        Assert.Single(_volume.Client.Pools());
        while (_volume.Files.DropSome()) { }
        Assert.Equal(Errno.ESTALE, _volume.Files.GetAttributes(file, out _));
        Assert.Equal(0, _volume.Engine.Statistics().Total.Pages);
    }

    [Fact]
    public void A_write_cut_short_leaves_nothing_behind_the_end()
    {
        var file = _volume.File(_pool, "f", TestVolume.Noise(3 * 4096, 1));
        Assert.Equal(Errno.Ok, _volume.Files.Open(TestVolume.Root, file, 0, 0, out _));
        // The pages are stored, the size is not raised yet.
        Inode(file).Size = 100;
        _volume.Attach();
        _volume.AssertSound();
        Assert.Equal(8UL, _volume.Attributes(file).Blocks);
        Assert.Equal(Errno.Ok, _volume.Truncate(file, 3 * 4096));
        Assert.Equal([.. TestVolume.Noise(3 * 4096, 1)[..100], .. new byte[3 * 4096 - 100]], _volume.Read(file, 0, 3 * 4096));
    }

    [Fact]
    public void A_region_whose_root_was_never_reached_starts_empty()
    {
        using var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 4 * TestVolume.Mebi });
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(TmemStatus.Ok, engine.Records.Allocate(RecordKind.Inode, Unsafe.SizeOf<InodeRecord>(), out var inode));
            engine.Records.Commit(inode);
        }
        Assert.Empty(new TmemFileSystem(engine, engine.Client(new TmemClientId(1))).Verify());
    }

    [Fact]
    public void Metadata_of_another_version_is_refused_by_name()
    {
        SetVersion(99);
        var refusal = Assert.Throws<RegionException>(_volume.Attach);
        Assert.Contains("version 99", refusal.Message, StringComparison.Ordinal);
        SetVersion(RootRecord.CurrentVersion);

        void SetVersion(ulong version) =>
            Records.ForEach(RecordKind.Root, root => Records.Get<RootRecord>(root).Version = version);
    }

    /// <summary>The root record leads to everything: there are two, and either is enough.</summary>
    [Fact]
    public void A_damaged_root_record_is_replaced_by_its_spare()
    {
        var file = _volume.File(_pool, "f", "contents"u8);
        var generation = Inode(file).Generation;
        foreach (var damage in (Action[])[() => Volume.RootInode ^= 64, () => Volume.Version ^= 1,
            () => Records.Root = new RecordRef(Records.Root.Value ^ 1), () => Records.Root = RecordRef.None])
        {
            damage();
            _volume.Attach();
            Assert.Equal("contents"u8.ToArray(), _volume.Read(_volume.Find(_pool, "f"), 0, 100));
            var roots = 0;
            Records.ForEach(RecordKind.Root, _ => roots++);
            Assert.Equal(2, roots);
            // No generation is assigned twice.
            Assert.True(Inode(_volume.File(_pool, $"{generation}")).Generation > generation);
            generation = Volume.Counter;
        }
    }

    /// <summary>The verifier must see what is wrong: each kind of damage is made once.</summary>
    [Fact]
    public void The_verifier_finds_damage()
    {
        var file = _volume.File(_pool, "f", TestVolume.Noise(3 * 4096, 1));
        Assert.Equal(Errno.Ok, _volume.SetAttribute(file, "user.a", "1"u8));
        Assert.Equal(Errno.Ok, _volume.Files.SymbolicLink(TestVolume.Root, _pool, "l"u8, "t"u8, out var link));
        var entry = Entry(_pool, "f");

        var (node, symlink) = (new RecordRef(file.Value), new NodeId(link.NodeId));
        Damage("links", ref Inode(file).Links, 5u);
        Damage("behind its end", ref Inode(file).Size, 100UL);
        Damage("in directory /p is damaged", ref Records.Get<EntryRecord>(entry).Child, entry.Value);
        Damage("in directory /p is damaged", ref Records.Get<EntryRecord>(entry).SumAndLength, 0UL);
        Damage("/p/f is lost", ref Records.Get<EntryRecord>(entry).Child, entry.Value, SumEntry);
        Damage("/p/f is lost", ref Records.Get<EntryRecord>(entry).Child, 0UL, SumEntry);
        Damage("which is no directory", ref Records.Get<EntryRecord>(entry).Parent, file.Value, SumEntry);
        Damage("is not found by its name", ref Records.Get<EntryRecord>(entry).Key, 1UL << 20, SumEntry);
        Damage("is damaged, or what refers to it is", ref Inode(file).Attributes, entry.Value);
        Damage("does not belong to an inode that has it", ref Inode(file).Attributes, 0UL);
        Damage("counts 9 extended attributes", ref Inode(file).AttributeCount, 9u);
        Damage("/p/l is damaged", ref Inode(symlink).Target, entry.Value);
        Damage("/p/l has no target of its own", ref Inode(symlink).Target, entry.Value,
            () => Inode(symlink).Sum = RecordSum.Of(new RecordRef(link.NodeId), in Inode(symlink)));
        Damage("/p/f is damaged", ref Inode(file).Pool, 999u);
        Damage("another pool", ref Inode(file).Pool, 999u, SumInode);
        Damage("objects that are no files", ref Inode(file).Generation, 999UL, SumInode);
        var root = Inode(_pool).Children;
        Damage("is not found by its name", ref Inode(_pool).Children, 0UL);
        Assert.Equal(root, Inode(_pool).Children);

        void SumEntry() => Records.Get<EntryRecord>(entry).SumAndLength =
            RecordSum.OfEntry(Records, entry, Records.Get<EntryRecord>(entry).Child);
        void SumInode() => Inode(file).Sum = RecordSum.Of(node, in Inode(file));

        void Damage<T>(string expected, ref T field, T wrong, Action? sum = null)
        {
            var right = field;
            field = wrong;
            sum?.Invoke();
            Assert.Contains(_volume.Files.Verify(), problem => problem.Contains(expected, StringComparison.Ordinal));
            field = right;
            sum?.Invoke();
            Assert.Empty(_volume.Files.Verify());
        }
    }
}
