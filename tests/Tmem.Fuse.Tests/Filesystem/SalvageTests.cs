using Tmem.Engine.Records;
using Tmem.Fuse.Filesystem;
using Tmem.Fuse.Protocol;
using Xunit;

namespace Tmem.Fuse.Tests.Filesystem;

/// <summary>A flipped bit loses a name; what it stood for is found again, whoever knew it.</summary>
public sealed class SalvageTests : IDisposable
{
    private static readonly byte[] s_contents = TestVolume.Noise(3 * TestVolume.Page, seed: 7);

    private readonly TestVolume _volume = new();
    private readonly NodeId _pool;

    public SalvageTests() => _pool = _volume.Pool();

    public void Dispose() => _volume.Dispose();

    /// <summary>The one entry that stands for an inode.</summary>
    private void LoseName(NodeId node)
    {
        var records = _volume.Engine.Records;
        var lost = 0;
        records.ForEach(RecordKind.Entry, entry =>
        {
            ref var record = ref records.Get<EntryRecord>(entry);
            if (record.Child != node.Value) return;
            record.Key ^= 1 << 20;
            lost++;
        });
        Assert.Equal(1, lost);
    }

    /// <param name="known">Whether the kernel has looked it up, and not forgotten it when the next process attaches.</param>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_directory_whose_name_is_lost_keeps_what_is_in_it(bool known)
    {
        var directory = _volume.Directory(_pool, "d");
        _volume.File(directory, "f", s_contents);
        if (!known) _volume.Files.DropKernelReferences();
        LoseName(directory);
        _volume.Attach();
        AssertFound(directory.Value, "f");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_whose_name_is_lost_keeps_its_contents(bool known)
    {
        var file = _volume.File(_pool, "f", s_contents);
        if (!known) _volume.Files.DropKernelReferences();
        LoseName(file);
        _volume.Attach();
        AssertFound(file.Value, null);
    }

    /// <summary>Its data still has a reader; a removed name cannot be told from a lost one.</summary>
    [Fact]
    public void A_file_that_is_open_is_found_again_too()
    {
        var file = _volume.File(_pool, "f", s_contents);
        Assert.Equal(0, (int)_volume.Files.Open(TestVolume.Root, file, 2, 0, out _));
        LoseName(file);
        _volume.Attach();
        AssertFound(file.Value, null);
    }

    [Fact]
    public void A_directory_that_was_removed_and_is_known_stays_removed()
    {
        var removed = _volume.Directory(_pool, "removed");
        var other = _volume.File(_pool, "f", s_contents);
        Assert.Equal(0, (int)_volume.RemoveDirectory(_pool, "removed"));
        LoseName(other);
        _volume.Attach();
        var lost = _volume.Find(_pool, "lost+found");
        Assert.NotEqual(0, (int)_volume.TryFind(lost, $"{removed.Value}", out _));
    }

    private void AssertFound(ulong inode, string? name)
    {
        Assert.True(_volume.Files.Damage.Any);
        AssertThere();
        // No lookup count keeps it alive.
        _volume.Files.DropKernelReferences();
        _volume.Attach();
        AssertThere();

        void AssertThere()
        {
            var found = _volume.Find(_volume.Find(_volume.Find(NodeId.Root, "p"), "lost+found"), $"{inode}");
            if (name is not null) found = _volume.Find(found, name);
            Assert.Equal(s_contents, _volume.Read(found, 0, s_contents.Length));
        }
    }
}
