using System.Text;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Tmem.Engine.Tests.Durability;

/// <summary>
/// A region's file is removed, replaced or moved while it is open. A sync fails if no start could find what is stored; a new path
/// is only reported.
/// </summary>
public sealed class LostNameTests : IDisposable
{
    private static readonly ValuedPages s_pages = new(Pages.Random);

    private readonly string _folder = Directory.CreateTempSubdirectory("tmem-region-").FullName;
    private readonly List<TmemNotice> _notices = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Region => At("region");
    private string At(string name) => Path.Combine(_folder, name);

    [Theory]
    [InlineData("removed")]
    [InlineData("replaced")]
    [InlineData("removed with its folder")]
    public void A_sync_to_a_removed_file_fails_and_one_notice_says_so(string how)
    {
        Directory.CreateDirectory(At("sub"));
        var region = how == "removed with its folder" ? At("sub/region") : Region;
        using var engine = Open(region);
        var pool = s_pages.Fill(engine, 20);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        if (how == "replaced")
        {
            File.WriteAllText(At("other"), "other");
            File.Move(At("other"), region, overwrite: true);
        }
        else if (how == "removed") File.Delete(region);
        else Directory.Delete(At("sub"), recursive: true);
        // Before anybody syncs.
        Assert.True(engine.Statistics().Durability is { FileRemoved: true, LastFailed: false });
        // Without a change, with one, and by a ticket.
        Assert.Equal(TmemStatus.FileRemoved, engine.Sync());
        s_pages.Put(engine, pool, 3, 99);
        Assert.Equal(TmemStatus.FileRemoved, engine.Sync());
        Assert.Equal(TmemStatus.FileRemoved, engine.EndSync(engine.BeginSync()));
        Assert.True(engine.Statistics().Durability is { FileRemoved: true, LastFailed: false, Failures: >= 3 });
        Assert.Equal(99, s_pages.Value(engine, pool, 3));
        AwaitNotices(1);
        Assert.True(_notices[0] is { IsProblem: true, IsFailure: true });
        Assert.Contains($"region file '{region}' has been removed or replaced: what is stored would be gone",
            _notices[0].Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_removed_file_can_be_saved_through_an_open_descriptor()
    {
        PoolId pool;
        FileStream held;
        using (var engine = Open(Region))
        {
            pool = s_pages.Fill(engine, 20);
            File.Delete(Region);
            Assert.Equal(TmemStatus.FileRemoved, engine.Sync());
            AwaitNotices(1);
            var at = _notices[0].Sentence.Split(' ').Single(word => word.StartsWith("/proc/", StringComparison.Ordinal));
            held = new FileStream(OpenToRead(at), FileAccess.Read);
            s_pages.Put(engine, pool, 3, 99);
        }
        using (held)
        using (var saved = File.Create(Region)) held.CopyTo(saved);
        using var again = Open(Region);
        Engines.AssertSound(again);
        Assert.Equal(99, s_pages.Value(again, pool, 3));
        Assert.Equal(19, s_pages.Value(again, pool, 19));
        Assert.Equal(TmemStatus.Ok, again.Sync());
    }

    [Fact]
    public void A_timed_sync_notices_a_removal()
    {
        using var engine = Open(Region, TimeSpan.FromMilliseconds(20));
        File.Delete(Region);
        AwaitNotices(1);
        Assert.Contains("has been removed", _notices[0].Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void The_last_sync_notices_a_removal()
    {
        using (var engine = Open(Region)) File.Delete(Region);
        AwaitNotices(1);
        Assert.Contains("has been removed", _notices[0].Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_removal_is_reported_before_a_disk_error_and_both_can_end()
    {
        var disk = new SimulatedDisk();
        using var engine = Open(null, disk: disk);
        s_pages.Fill(engine, 20);
        (disk.RemovedAt, disk.Fails) = ("/proc/1/fd/1", what => what == "write" ? LibC.EIO : 0);
        Assert.Equal(TmemStatus.FileRemoved, engine.Sync());
        Assert.True(engine.Statistics().Durability is { FileRemoved: true, LastFailed: true });
        disk.RemovedAt = null;
        Assert.Equal(TmemStatus.DiskError, engine.Sync());
        disk.Fails = null;
        var ticket = engine.BeginSync();
        Assert.Equal(TmemStatus.Ok, engine.EndSync(ticket));
        Assert.True(engine.Statistics().Durability is { FileRemoved: false, LastFailed: false });
        AwaitNotices(4);
        Assert.Contains(_notices, one => !one.IsProblem && one.Sentence.EndsWith("has its name again", StringComparison.Ordinal));
    }

    [Fact]
    public void A_successor_reports_a_removed_file_too()
    {
        using var first = File.OpenHandle(Region, FileMode.Create, FileAccess.ReadWrite,
            FileShare.ReadWrite | FileShare.Delete);
        var descriptor = Duplicate(first);
        File.Delete(Region);
        using var engine = Open(Region, adopted: descriptor);
        AwaitNotices(1);
        Assert.Equal(TmemStatus.FileRemoved, engine.Sync());
    }

    [Fact]
    public void A_region_that_was_opened_without_a_name_syncs()
    {
        using var handle = File.OpenHandle(Region, FileMode.Create, FileAccess.ReadWrite,
            FileShare.ReadWrite | FileShare.Delete);
        File.Delete(Region);
        using var engine = TmemEngine.Open(new EngineOptions { CapacityBytes = 4 * Engines.Mebi, RegionHandle = handle });
        s_pages.Fill(engine, 5);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
    }

    [Fact]
    public void A_moved_file_syncs_and_a_notice_has_its_new_path()
    {
        using var engine = Open(Region);
        var pool = s_pages.Fill(engine, 20);
        File.Move(Region, At("moved"));
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        AwaitNotices(1);
        Assert.True(_notices[0].IsProblem);
        Assert.Contains($"is now at {At("moved")}: start with that, or move it back", _notices[0].Sentence,
            StringComparison.Ordinal);
        Assert.Equal(At("moved"), engine.Statistics().Durability.FileMovedTo);
        // Another file under the old name is not the region's: still the same move.
        File.WriteAllText(Region, "other");
        s_pages.Put(engine, pool, 3, 99);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        File.Move(At("moved"), Region, overwrite: true);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        AwaitNotices(2);
        Assert.True(_notices[1] is { IsProblem: false });
        Assert.Null(engine.Statistics().Durability.FileMovedTo);
        Assert.False(engine.Statistics().Durability.FileRemoved);
    }

    [Fact]
    public void A_file_that_keeps_a_second_name_is_reported_by_its_inode()
    {
        using var engine = Open(Region);
        Link(Region, At("second"));
        File.Delete(Region);
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        AwaitNotices(1);
        Assert.Matches("is now at inode [0-9]+: start with that", _notices[0].Sentence);
    }

    [Fact]
    public void A_path_that_cannot_be_examined_gives_no_notice()
    {
        Directory.CreateDirectory(At("sub"));
        using var engine = Open(At("sub/region"));
        s_pages.Fill(engine, 5);
        // A link to itself: not even root can see whether the file is behind it.
        Directory.Move(At("sub"), At("moved"));
        Directory.CreateSymbolicLink(At("sub"), At("sub"));
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        Assert.Empty(_notices);
        // The path can be examined again.
        File.Delete(At("sub"));
        Assert.Equal(TmemStatus.Ok, engine.Sync());
        AwaitNotices(1);
    }

    /// <summary>A notice comes after the answer.</summary>
    private void AwaitNotices(int count)
    {
        Assert.True(SpinWait.SpinUntil(() => { lock (_notices) return _notices.Count >= count; }, TimeSpan.FromSeconds(60)),
            $"{count} notices were due");
        lock (_notices) Assert.True(_notices.Count == count, string.Join('\n', _notices));
    }

    private TmemEngine Open(string? path, TimeSpan interval = default, SimulatedDisk? disk = null, int adopted = -1) =>
        TmemEngine.Open(new EngineOptions
        {
            CapacityBytes = 8 * Engines.Mebi, RegionPath = path, ImageFile = disk, RegionFileDescriptor = adopted,
            SyncInterval = interval, CompactInBackground = false, Notice = Add,
        });

    private void Add(TmemNotice notice)
    {
        lock (_notices) _notices.Add(notice);
    }

    private static int Duplicate(SafeFileHandle handle) => LibC.dup((int)handle.DangerousGetHandle());

    /// <summary>Opens as a shell does; .NET would ask for a lock.</summary>
    private static unsafe SafeFileHandle OpenToRead(string path)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0")) return new SafeFileHandle(LibC.open(name, LibC.O_RDONLY), true);
    }

    private static unsafe void Link(string from, string to)
    {
        fixed (byte* old = Encoding.UTF8.GetBytes(from + "\0"), another = Encoding.UTF8.GetBytes(to + "\0"))
            Assert.Equal(0, LibC.link(old, another));
    }
}
